"""A queue of long videos through `reelfarm up`: its own Redis, coordinator, stitcher and worker groups, as a user runs it."""

import json
import os
import subprocess
import tempfile
import time
import pathlib

from gpu_load import SAMPLE_MS, GpuLoad
from steps import PROMPT, plan_key

LOOK_SECONDS = 1.0
ENDED = ("done", "failed", "cancelled")


class FarmError(Exception):
    """A command of the farm failed; with what it said."""


class Farm:
    """Up while it is open."""

    def __init__(self, options, groups, ranks, dtype, data):
        self.options, self.groups, self.data = options, groups, data
        self.command = options.programs / "reelfarm"
        self.environment = {**os.environ, "PATH": f"{options.programs}:{os.environ['PATH']}",
                            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        self.up = ["up", "--detach", "--bundle", options.bundle, "--groups", groups, "--ranks", ranks, "--device", options.device,
                   "--dtype", dtype, "--tiles", options.tiles, *([] if options.on_gpus else ["--threads", options.threads])]

    def run(self, *words, check=True):
        done = subprocess.run([self.command, *map(str, words), "--data", self.data], capture_output=True, text=True,
                              env=self.environment, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            logs = "".join(f"\n{log.name}: {log.read_text(errors='replace')[-600:]}" for log in sorted(self.data.glob("logs/*.log")))
            raise FarmError(f"reelfarm {words[0]} ended with {done.returncode}: {done.stderr.strip()[-600:]}{logs}")
        return done.stdout

    def lines(self, *words):
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]

    def __enter__(self):
        self.run(*self.up)  # returns when one group has its weights
        end = time.monotonic() + self.options.patience
        while sum(group.get("state") == "idle" for group in self.lines("groups")) < self.groups:
            if time.monotonic() > end:
                self.run("down", "--now", check=False)
                raise FarmError(f"not all of {self.groups} groups have their weights after {self.options.patience:.0f} s")
            time.sleep(LOOK_SECONDS)
        return self

    def __exit__(self, *_):
        self.run("down", "--now", check=False)


def queue_of(options, jobs, file):
    with file.open("w") as stream:
        for index in range(jobs):
            stream.write(json.dumps({"prompt": PROMPT, "image": str(options.bundle / "image.png"), "frames": options.job_frames,
                                     "size": options.size, "window": options.window, "overlap": options.overlap, "seed": index,
                                     "name": f"video-{index}", "keep": "final"}) + "\n")


def follow(farm, options, begin):
    """Until all videos are there or the time is over: (when the last window or video came, windows
    that are done, windows of a video, when each video came)."""
    last, windows, videos = 0.0, 0, {}
    while True:
        jobs = farm.lines("status", "--limit", 0)
        now = time.monotonic() - begin
        done = sum(window["state"] == "done" for job in jobs for window in job["windows"])
        for job in jobs:
            if job["state"] in ENDED and job["state"] != "done":
                raise FarmError(f"{job['name']} is {job['state']}: {job['error']}")
            if job["state"] == "done" and job["job"] not in videos:
                videos[job["job"]] = last = now
        if done > windows:
            windows, last = done, now
        if len(videos) == len(jobs) or now > 60 * options.farm_minutes:
            if last == 0:
                raise FarmError(f"no window was done within {options.farm_minutes} minutes (--farm-minutes)")
            return last, windows, max(len(job["windows"]) for job in jobs), sorted(videos.values())
        time.sleep(LOOK_SECONDS)


def keep_trace(farm, options, layout, load):
    """Beside the results: where the time of the job that got furthest went, for Perfetto, and the load of the GPUs."""
    jobs = farm.lines("status", "--limit", 0)
    furthest = max(jobs, key=lambda job: sum(window["state"] == "done" for window in job["windows"]))
    stem = options.results.resolve().with_name(f"{options.results.stem}-{layout}")
    farm.run("trace", furthest["job"], "--output", f"{stem}.trace.json")
    if load.percents:
        pathlib.Path(f"{stem}.load.json").write_text(json.dumps({"every_ms": SAMPLE_MS, "percent": load.percents, "mib": load.mib}))


def measure(options, groups, ranks, dtype, jobs):
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="scaling-farm-") as folder:
        data = pathlib.Path(folder) / "data"
        with Farm(options, groups, ranks, dtype, data) as farm:
            queue_of(options, jobs, data / "queue.jsonl")
            with GpuLoad(groups * ranks if options.on_gpus else 0) as load:
                begin = time.monotonic()
                farm.run("enqueue", "--file", data / "queue.jsonl")
                seconds, windows, of_video, videos = follow(farm, options, begin)
            keep_trace(farm, options, f"{jobs}-on-{groups}x{ranks}-{dtype}-{options.tiles}", load)
            report = farm.lines("report", "--since", f"{int(time.monotonic() - begin) + 60}s")[0]["windows"]
    # Cut off, what counts is the time of the last whole window: those under way are neither counted nor timed. Windows, not
    # frames: the first of a video has more of them than the others, and layouts differ in how many videos they begin.
    return {"seconds": seconds, "whole": len(videos) == jobs, "videos": len(videos), "windows": windows,
            "videos_per_hour": 3600 * windows / of_video / seconds,
            "first_video": videos[0] if videos else None, "gpu_idle": load.idle, "gpu_waits": load.waits, "report": report}


def record_queue(options, records, what, groups, ranks, dtype, jobs):
    key = {"device": options.device_name, "what": what, "size": options.size, "frames": options.job_frames, "dtype": dtype,
           "ranks": ranks, "groups": groups, "jobs": jobs, **plan_key(options)}
    if records.has(key) or options.deadline.passed():
        return
    try:
        records.add({**key, **measure(options, groups, ranks, dtype, jobs)})
    except FarmError as error:
        records.add({**key, "error": str(error)})
        options.failures += 1


def measure_farm(options, records):
    """All GPUs as groups of one, of two, and as one group."""
    gpus = max(options.ranks)
    for dtype in options.dtype:
        for ranks in sorted({1, gpus} | ({2} if gpus % 2 == 0 else set())):
            record_queue(options, records, "farm", gpus // ranks, ranks, dtype, options.jobs)


def measure_video(options, records):
    """One video, whose windows follow each other, by one group of all sizes."""
    for dtype in options.dtype:
        for ranks in options.ranks:
            record_queue(options, records, "video", 1, ranks, dtype, 1)
