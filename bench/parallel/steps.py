"""Forward, decode and clip: what is asked of bench_parallel and bench_clip, and what is kept of their answers."""

import json

from ranks import Program, ProgramError

TEXT = 256  # tokens of a prompt, as long as the encoders of the published models let it be
PROMPT = "among the clouds a dark black square tile circling in a counterclockwise direction."
USUAL_TILES = "diffusers"
DECODE_PLANS = (USUAL_TILES, "medium")
VAE_SPATIAL, VAE_TEMPORAL = 8, 4


def meshes(ranks, heads, on_gpus):
    """Every split of the ranks; "alone": each rank computes a whole forward, which on GPUs is as long for one as for all."""
    splits = [f"{ulysses}x{ranks // ulysses}" for ulysses in range(ranks, 0, -1)
              if ranks % ulysses == 0 and heads % ulysses == 0]
    if ranks == 1:
        return ["alone"]
    return splits if on_gpus else ["alone", *splits]


class Plan:
    """The lines that one program is to answer, each with the key of its record."""

    def __init__(self, options, records, ranks, dtype):
        self.options, self.records, self.ranks, self.dtype = options, records, ranks, dtype
        self.lines = []

    def add(self, line, **key):
        key = {"device": self.options.device_name, "size": self.options.size, "dtype": self.dtype, "ranks": self.ranks, **key}
        if not self.records.has(key):
            self.lines.append((line, key))

    def run(self, words, answered):
        """Asks all in turn until the time is over. `answered(line, answer)` makes the record's figures."""
        if not self.lines or self.options.deadline.passed():
            return
        with Program(words, self.ranks, self.options.on_gpus, self.options.patience) as program:
            for line, key in self.lines:
                if self.options.deadline.passed():
                    return
                try:
                    self.records.add({**key, **answered(program, line)})
                except ProgramError as error:
                    self.records.add({**key, "error": str(error)})
                    self.options.failures += 1
                    return  # the rest would need another start; a run that is started again tries them


def measure_parallel(options, records):
    """Forwards over every mesh, and decodes, which are in bf16 whatever the transformer's products are in."""
    width, height = (int(side) // VAE_SPATIAL for side in options.size.split("x"))
    heads = json.loads((options.bundle / "transformer/config.json").read_text())["num_attention_heads"]
    for dtype in options.dtype:
        for ranks in options.ranks:
            plan = Plan(options, records, ranks, dtype)
            for frames in options.frames:
                latents = (frames - 1) // VAE_TEMPORAL + 1
                if "forward" in options.what:
                    for mesh in meshes(ranks, heads, options.on_gpus):
                        plan.add(f"forward {latents} {mesh}", what="forward", frames=frames, mesh=mesh)
                if "decode" in options.what:
                    for tiles in DECODE_PLANS:
                        plan.add(f"decode {latents} {tiles}", what="decode", frames=frames, plan=tiles,
                                 dtype="bf16" if dtype.startswith("fp8") else dtype)
            plan.run([options.programs / "bench_parallel", options.bundle, options.device, dtype, height, width, TEXT],
                     lambda program, line: json.loads(program.ask(line)))


def plan_key(options):
    """Of what is measured with another tile plan than the usual one."""
    return {} if options.tiles == USUAL_TILES else {"plan": options.tiles}


def measure_clip(options, records):
    """Image and prompt to 8-bit frames in host memory, each length `repeats` times; the last counts."""
    width, height = options.size.split("x")
    for dtype in options.dtype:
        for ranks in options.ranks:
            plan = Plan(options, records, ranks, dtype)
            for frames in options.frames:
                plan.add(f"{frames} 0 {PROMPT}", what="clip", frames=frames, **plan_key(options))
            loaded = []

            def clip(program, line):
                if not loaded:
                    loaded.append(float(program.ask()))
                    program.ask(f"5 0 {PROMPT}")  # warms up
                runs = [list(map(float, program.ask(line).split())) for _ in range(options.repeats)]
                names = ("seconds", "encoders", "steps", "decode", "peak_gib")
                return {**dict(zip(names, runs[-1])), "runs": [run[0] for run in runs], "load_gib": loaded[0]}

            plan.run([options.programs / "bench_clip", options.bundle, dtype, options.threads, options.device, width, height,
                      options.tiles, options.bundle / "images"], clip)
