#!/usr/bin/env python3
"""A user in a browser: submits a job with an image and a nasty prompt, watches it until it is done, rerolls, compares.

    watch_a_job.py --page URL --image FILE --shots FOLDER [--token TOKEN]

Ends with 1 and says what was wrong: a console error, a script of the prompt that ran, something that never showed.
The page's own farm must finish a job within a minute. 77: there is no Chromium here.
"""
import argparse
import json
import pathlib
import sys

import chromium

NASTY = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script> a kite & \"stars\""


def submit(browser, prompt, image, seconds):
    browser.evaluate("document.getElementById('new').click()")
    browser.choose_file("#image", image)
    browser.wait_for("document.getElementById('drop-preview').naturalWidth > 0")
    browser.evaluate(f"""(() => {{
        document.getElementById('prompt').value = {json.dumps(prompt)};
        document.getElementById('name').value = {json.dumps("<b>kite</b>")};
        document.getElementById('seconds').value = {json.dumps(seconds)};
        document.getElementById('job-form').requestSubmit();
    }})()""")
    browser.wait_for("location.hash.length > 1")
    return browser.evaluate("location.hash.slice(1)")


def watch(browser, job):
    """The states that the page showed, in order, until the job is done."""
    seen = []
    while not seen or seen[-1] != "done":
        last = json.dumps(seen[-1] if seen else "")
        state = browser.wait_for(f"""(() => {{
            const badge = document.querySelector('li[data-job="{job}"] .state');
            return badge && badge.textContent !== {last} ? badge.textContent : null;
        }})()""", 180)
        seen.append(state)
        if state in ("failed", "cancelled"):
            raise AssertionError(f"the job became {state}: " + browser.evaluate("document.getElementById('detail').innerText"))
    return seen


def check(browser, arguments):
    shots = pathlib.Path(arguments.shots)
    shots.mkdir(parents=True, exist_ok=True)
    browser.screen(1280, 900, dark=False)
    browser.open(arguments.page)
    if arguments.token:
        browser.wait_for("document.getElementById('login')?.hidden === false")
        browser.evaluate(f"document.getElementById('token').value = {json.dumps(arguments.token)};"
                         "document.getElementById('login').requestSubmit()")
    browser.wait_for("document.getElementById('main')?.hidden === false && document.querySelector('#groups li') !== null")
    job = submit(browser, NASTY, arguments.image, arguments.seconds)
    states = watch(browser, job)
    print("states shown:", states)
    browser.wait_for("document.querySelectorAll('#timeline .window').length > 0")
    browser.wait_for("[...document.querySelectorAll('#timeline .window .state')].every(s => s.textContent === 'done')")
    # Text of others stays text.
    assert browser.evaluate("window.hacked === undefined"), "the prompt's script ran"
    assert browser.evaluate("document.querySelector('.prompt').textContent") == NASTY
    assert browser.evaluate("document.querySelectorAll('.prompt *, .title *').length") == 0
    # Every window shows its last frame, the video plays and can be sought in.
    browser.evaluate("document.querySelectorAll('#timeline img').forEach(i => i.loading = 'eager')")
    browser.wait_for("[...document.querySelectorAll('#timeline img')].length > 0 &&"
                     "[...document.querySelectorAll('#timeline img')].every(i => i.naturalWidth > 0)")
    browser.wait_for("document.querySelector('video')?.readyState >= 2")
    browser.evaluate("document.querySelector('video').play()")
    browser.wait_for("document.querySelector('video').currentTime > 0")
    browser.evaluate("(() => { const v = document.querySelector('video'); v.pause(); v.currentTime = v.duration / 2; })()")
    browser.wait_for("!document.querySelector('video').seeking")
    browser.screenshot(shots / "desktop-light.png")
    browser.screen(1280, 900, dark=True)
    browser.screenshot(shots / "desktop-dark.png")
    # Why it is where it is, and what has happened to it; the whole farm is paused and goes on.
    browser.evaluate("document.querySelectorAll('#why, #events').forEach(d => d.open = true)")
    browser.wait_for("document.querySelector('#why li')?.textContent.includes('done')")
    browser.wait_for("[...document.querySelectorAll('#events li')].some(l => l.textContent.includes('submitted'))")
    browser.evaluate("document.getElementById('pause-farm').click()")
    browser.wait_for("document.getElementById('farm-paused').textContent.includes('paused by')")
    browser.evaluate("document.getElementById('pause-farm').click()")
    browser.wait_for("document.getElementById('farm-paused').hidden")
    # Another take, side by side with the first.
    browser.evaluate("[...document.querySelectorAll('#timeline button')].at(-1).click()")
    take = browser.wait_for(f"location.hash.slice(1) !== '{job}' && location.hash.slice(1)")
    watch(browser, take)
    browser.wait_for("document.querySelector('#detail select') !== null")
    browser.evaluate("(() => { const s = document.querySelector('#detail select'); s.selectedIndex = 1;"
                     " s.dispatchEvent(new Event('change')); })()")
    browser.wait_for("document.querySelectorAll('#detail video').length === 2 &&"
                     "[...document.querySelectorAll('#detail video')].every(v => v.readyState >= 1)")
    browser.screenshot(shots / "takes.png")
    browser.screen(390, 844, dark=True, phone=True)
    browser.wait_for("document.documentElement.scrollWidth <= 390")
    browser.screenshot(shots / "phone-dark.png")
    browser.screen(390, 844, dark=False, phone=True)
    browser.evaluate("document.getElementById('new').click()")
    browser.evaluate("scrollTo(0, 0)")
    browser.wait_for("document.documentElement.scrollWidth <= 390")
    browser.screenshot(shots / "phone-form.png")
    assert not browser.complaints, browser.complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--shots", required=True)
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--token", default="", help="for tests: a secret of anybody's does not belong here")
    arguments = parser.parse_args()
    program = chromium.find()
    if not program:
        print("no Chromium in PATH: " + ", ".join(chromium.NAMES))
        return 77
    with chromium.Chromium(program) as browser:
        try:
            check(browser, arguments)
        except (AssertionError, RuntimeError) as error:
            browser.screenshot(pathlib.Path(arguments.shots) / "failed.png")
            print(f"{error}\ncomplaints: {browser.complaints}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
