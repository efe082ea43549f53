"""The tables of a scaling run, in markdown."""

import math

import model
from steps import USUAL_TILES

AIM = {2: 1.95, 4: 3.8, 8: 7.2}
KNOWN = {"xDiT, H100": {2: 2.06, 4: 3.70, 8: 5.64}, "LightX2V, its model": {8: 6.9}}
CLIP_AIM = "3 s on 8 GPUs"
VIDEO_AIM = "a minute of video within a minute on a node"


def table(title, head, rows):
    if not rows:
        return
    print(f"\n## {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def figure(value, digits=2, unit=""):
    return "" if value is None else f"{value:.{digits}f}{unit}"


class Results:
    """What was measured on one kind of device at one size."""

    def __init__(self, records, device, size):
        # Forwards have no tiles, and what was measured with the usual ones does not say so.
        self.all = [{"plan": USUAL_TILES, **record} for record in records.find(device=device, size=size) if "error" not in record]
        self.failed = [record for record in records.find(device=device, size=size) if "error" in record]

    def of(self, what, **wanted):
        found = [record for record in self.all
                 if record["what"] == what and all(record.get(name) == value for name, value in wanted.items())]
        return sorted(found, key=lambda record: (record.get("frames", 0), record["dtype"], record["ranks"],
                                                 -int(record.get("mesh", "0").partition("x")[0].replace("alone", "99"))))

    def values(self, what, name):
        return sorted({record[name] for record in self.of(what)})

    def best(self, what, **wanted):
        """The record of the shortest; of a forward over several ranks, of those that share it."""
        found = [record for record in self.of(what, **wanted) if record.get("mesh") != "alone" or record["ranks"] == 1]
        return min(found, key=lambda record: record["seconds"], default=None)

    def times(self, record):
        """Speed-up over one rank, None where that was not measured."""
        if record is None:
            return None
        one = self.best(record["what"], frames=record["frames"], dtype=record["dtype"], ranks=1,
                        plan=record["plan"])
        # Ranks that each do the whole are that many forwards.
        work = record["ranks"] if record.get("mesh") == "alone" else 1
        return one and work * one["seconds"] / record["seconds"]


def beyond(times, ranks):
    """The share of a forward over so many ranks that a perfect split would not take: exchanges that nothing hides, above all."""
    return "" if times is None else f"{100 * (1 - times / ranks):.1f} %"


def exchanges_of(record):
    texts = []
    for exchange in record.get("exchanges", ()):
        gigabytes = exchange["megabytes"] * 1e-3
        texts.append(f"{exchange['operation']} {exchange['calls']} x {exchange['megabytes']:.3g} MB: {exchange['seconds']:.3f} s, "
                     f"{100 * exchange['seconds'] / record['seconds']:.1f} %; "
                     f"{gigabytes * exchange['calls'] / exchange['seconds']:.3g} GB/s, bare {gigabytes / exchange['bare_seconds']:.3g}")
    return "; ".join(texts)


def predicted(size, frames, dtype, ranks):
    """(mesh, speed-up) of bench/parallel/model.py, which is for the published sizes in bf16."""
    clip = model.CLIPS.get(f"{frames} frames")
    if size != "960x544" or dtype != "bf16" or clip is None:
        return None, None
    mesh, seconds = model.forward_seconds(*clip, ranks)[:2]
    return mesh, model.forward_seconds(*clip, 1)[1] / seconds


def print_steps(results, size):
    def forward(record):
        mesh, modelled = predicted(size, record["frames"], record["dtype"], record["ranks"])
        times = results.times(record)
        return [str(record["frames"]), record["dtype"], str(record["ranks"]), record["mesh"], figure(record["seconds"], 3, " s"),
                figure(record.get("nccl_seconds"), 3, " s"), figure(times), figure(modelled if mesh == record["mesh"] else None),
                beyond(times, record["ranks"]), exchanges_of(record)]

    table("One forward", ["frames", "type", "ranks", "mesh", "forward", "all over NCCL", "times", "model", "beyond 1/ranks",
                          "exchanges, one by one with nothing beside them"],
          [forward(record) for record in results.of("forward")])
    table("One decode", ["frames", "ranks", "tiles", "decode", "times"],
          [[str(record["frames"]), str(record["ranks"]), f"{record['plan']}, {record['tiles']}", figure(record["seconds"], 3, " s"),
            figure(results.times(record))] for record in results.of("decode")])
    table("A clip: image and prompt to 8-bit frames in host memory, 4 steps",
          ["frames", "type", "tiles", "ranks", "all", "times", "encoders", "steps", "decode", "peak of tensors, rank 0"],
          [[str(record["frames"]), record["dtype"], record["plan"], str(record["ranks"]), figure(record["seconds"], 2, " s"),
            figure(results.times(record)), *(figure(record[name]) for name in ("encoders", "steps", "decode")),
            figure(record["peak_gib"], 1, " GiB")] for record in results.of("clip")])


def print_strong_scaling(results, size):
    dtypes = sorted(set(results.values("forward", "dtype")) | set(results.values("clip", "dtype")))
    frames = sorted(set(results.values("forward", "frames")) | set(results.values("clip", "frames")))
    ranks = sorted((set(results.values("forward", "ranks")) | set(results.values("clip", "ranks"))) - {1})
    columns = [("forward", dtype) for dtype in dtypes] + [("decode", None)] + [("clip", dtype) for dtype in dtypes]
    rows = []
    for length in frames:
        for count in ranks:
            best = [results.best(what, frames=length, ranks=count, plan=USUAL_TILES, **({"dtype": dtype} if dtype else {}))
                    for what, dtype in columns]
            rows.append([str(length), str(count), *(figure(results.times(record)) for record in best),
                         figure(predicted(size, length, "bf16", count)[1]), figure(AIM.get(count)),
                         *(figure(known.get(count)) for known in KNOWN.values())])
    table(f"Times as fast as one (the best mesh, tiles {USUAL_TILES}); the aim of a clip is {CLIP_AIM}",
          ["frames", "ranks", *(f"{what} {dtype or ''}".strip() for what, dtype in columns), "model, forward bf16", "aim", *KNOWN],
          rows)


def shares(record, name):
    """Of the GPUs, on average."""
    return "" if record.get(name) is None else f"{100 * sum(record[name]) / len(record[name]):.1f} %"


def print_video(results):
    table(f"One video by one group, from `reelfarm enqueue` to its .mp4; the aim is {VIDEO_AIM}",
          ["frames", "type", "tiles", "ranks", "all", "times", "a window (median)", "GPU idle (NVML)", "once it is busy"],
          [[str(record["frames"]), record["dtype"], record["plan"], str(record["ranks"]),
            figure(record["seconds"], 1, " s") + ("" if record["whole"] else ", cut off"),
            figure(results.times(record)) if record["whole"] else "", figure(record["report"]["median_seconds"], 1, " s"),
            *(shares(record, name) for name in ("gpu_idle", "gpu_waits"))] for record in results.of("video")])


def print_farm(results):
    records = results.of("farm")
    table("Farm: videos through `reelfarm up`",
          ["type", "tiles", "groups x ranks", "queue", "seconds", "videos an hour", "first video", "GPU idle (NVML)", "once it is busy", "frames a minute (reelfarm report)"],
          [[record["dtype"], record["plan"], f"{record['groups']} x {record['ranks']}", f"{record['jobs']} of {record['frames']} frames"
            + ("" if record["whole"] else f", cut off after {record['seconds']:.0f} s"), figure(record["seconds"], 0),
            figure(record["videos_per_hour"]), figure(record["first_video"], 0, " s"),
            *(shares(record, name) for name in ("gpu_idle", "gpu_waits")),
            figure(record["report"]["frames_per_minute"], 1)] for record in records])

    def queue_of(record):
        return record["dtype"], record["groups"] * record["ranks"], record["jobs"], record["frames"], record["plan"]

    for queue in sorted(set(map(queue_of, records))):
        dtype, gpus, jobs, frames, tiles = queue
        rivals = sorted((record for record in records if queue_of(record) == queue), key=lambda one: -one["videos_per_hour"])
        if len(rivals) < 2:
            continue
        best, worst = rivals[0], rivals[-1]
        quickest = min(rivals, key=lambda one: math.inf if one["first_video"] is None else one["first_video"])
        print(f"\n{jobs} videos of {frames} frames on {gpus} ranks, {dtype}, tiles {tiles}: --groups {best['groups']} --ranks {best['ranks']} makes most, "
              f"{best['videos_per_hour'] / worst['videos_per_hour']:.2f} times what --groups {worst['groups']} --ranks {worst['ranks']} makes"
              + ("" if quickest["first_video"] is None else
                 f"; the first video comes soonest from --groups {quickest['groups']} --ranks {quickest['ranks']}") + ".")


def print_tables(records):
    for device, size in sorted({(record["device"], record["size"]) for record in records.find()}):
        results = Results(records, device, size)
        print(f"\n# {device}, {size}")
        print_steps(results, size)
        print_strong_scaling(results, size)
        print_video(results)
        print_farm(results)
        for record in results.failed:
            print(f"\nfailed: {record['what']} {record.get('frames')} frames, {record['dtype']}, {record['ranks']} ranks, "
                  f"mesh {record.get('mesh')}: {record['error']}")
