#!/usr/bin/env python3
"""Checks the dependency rule of docs/architecture.md on the #include lines of the tree.

Prints each include that breaks the rule and exits 1; `--self-test` checks that the checker sees planted violations.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

TORCH = re.compile(r"^(ATen|c10|torch|caffe2)/")
CUDA = re.compile(r"^(cuda|cublas|cudnn|nccl)")
MPI = re.compile(r"^mpi\.h$")
FFMPEG = re.compile(r"^lib(av|sw)\w+/")
BOOST_OPTIONS = re.compile(r"^boost/program_options")
HIREDIS = re.compile(r"^hiredis/")
HEAVY = {"torch": TORCH, "CUDA": CUDA, "MPI": MPI}

# module -> (our modules it may include, outside families it may not include). The longest prefix of a path decides.
RULES = {
    "logging": ({"logging"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "posix": ({"posix"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "threads": ({"threads"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "queue": ({"queue", "posix"}, ["torch", "CUDA", "MPI", "ffmpeg"]),
    "pipeline/windows": ({"pipeline/windows"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "pipeline/artifacts": ({"pipeline/artifacts", "posix"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "pipeline/weights": ({"pipeline/weights", "pipeline/windows", "pipeline/artifacts", "posix"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "pipeline/tokenizers": ({"pipeline/tokenizers"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "pipeline/video": ({"pipeline/video", "pipeline/windows", "pipeline/artifacts"}, ["torch", "CUDA", "MPI", "hiredis"]),
    "pipeline/stitcher": ({"pipeline/stitcher", "pipeline/video", "pipeline/windows", "pipeline/artifacts", "threads"}, ["torch", "CUDA", "MPI", "hiredis"]),
    "pipeline": ({"pipeline", "parallel", "threads"}, ["MPI", "hiredis"]),
    "parallel": ({"parallel"}, ["ffmpeg", "hiredis"]),
    # Of the pipeline it knows how long a prompt may be, and nothing of models.
    "coordinator": ({"coordinator", "logging", "posix", "queue", "pipeline/windows", "pipeline/artifacts", "pipeline/tokenizers"}, ["torch", "CUDA", "MPI", "ffmpeg"]),
    "coordinator/http": ({"coordinator/http", "logging", "posix"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "worker/agent": ({"worker/agent", "worker/protocol", "logging", "posix", "queue", "pipeline/windows", "pipeline/artifacts"}, ["torch", "CUDA", "MPI", "ffmpeg"]),
    "worker/protocol": ({"worker/protocol", "posix"}, ["torch", "CUDA", "MPI", "ffmpeg", "hiredis"]),
    "worker/stitcher": ({"worker/stitcher", "logging", "queue", "pipeline/windows", "pipeline/artifacts", "pipeline/stitcher",
                         "pipeline/video"}, ["torch", "CUDA", "MPI"]),
    "worker/ranks": ({"worker/ranks", "worker/protocol", "logging", "pipeline", "parallel", "threads"}, ["hiredis"]),
    "cli/image": ({"cli/image", "pipeline/video", "pipeline/weights", "pipeline/artifacts"}, ["torch", "CUDA", "MPI", "hiredis"]),
    "cli/bundle": ({"cli/bundle", "pipeline/weights", "pipeline/windows", "pipeline/artifacts"}, ["torch", "CUDA", "MPI", "hiredis"]),
    "cli/render": ({"cli/render", "pipeline", "parallel"}, ["hiredis"]),
    # enqueue --dry-run answers what the coordinator would: it calls the same planner instead of a copy.
    "cli": ({"cli", "coordinator", "posix", "queue", "pipeline/windows", "pipeline/artifacts"}, ["torch", "CUDA", "MPI", "ffmpeg"]),
}
FAMILIES = {**HEAVY, "ffmpeg": FFMPEG, "hiredis": HIREDIS}
OURS = ("logging/", "posix/", "threads/", "queue/", "pipeline/", "parallel/", "coordinator/", "worker/", "cli/", "tests/", "bench/")


def rule_of(path: str):
    best = max((name for name in RULES if path.startswith(name + "/")), key=len, default=None)
    return best, RULES.get(best)


def violations(path: str, text: str):
    module, rule = rule_of(path)
    if rule is None:
        return
    allowed, forbidden = rule
    name = pathlib.PurePath(path).name
    for match in INCLUDE.finditer(text):
        included = match.group(2)
        line = text.count("\n", 0, match.start(2)) + 1
        if included.startswith(OURS):
            if not any(included.startswith(other + "/") for other in allowed):
                yield f"{path}:{line}: {module} may not include {included}"
        for family in forbidden:
            if FAMILIES[family].match(included):
                yield f"{path}:{line}: {module} may not know {family} ({included})"
        if BOOST_OPTIONS.match(included) and not path.startswith("cli/") and name not in ("main.cpp", "options.cpp", "options.hpp"):
            yield f"{path}:{line}: only main.cpp, options.cpp and cli/ may know Boost.Program_options"
    if re.search(r"\bgetenv\s*\(", text) and not path.startswith("cli/") and name not in ("main.cpp", "options.cpp", "sibling.cpp"):
        yield f"{path}: only main.cpp, options.cpp, sibling.cpp (PATH) and cli/ may read the environment"


def self_test() -> int:
    planted = {
        "queue/a.cpp": '#include <ATen/ATen.h>\n',
        "coordinator/a.cpp": '#include "pipeline/weights/bundle.hpp"\n',
        "parallel/a.cpp": '#include "pipeline/dit/transformer.hpp"\n',
        "worker/agent/a.cpp": '#include <mpi.h>\n',
        "worker/ranks/a.cpp": '#include "queue/job_store.hpp"\n',
        "pipeline/weights/a.cpp": '#include <boost/program_options.hpp>\n',
        "queue/b.cpp": 'auto x = getenv("A");\n',
    }
    blind = [path for path, text in planted.items() if not list(violations(path, text))]
    for path in blind:
        print(f"self-test: the violation planted in {path} was not seen")
    return 1 if blind else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        return self_test()
    found = []
    checked = 0
    for top in ("posix", "threads", "queue", "pipeline", "parallel", "coordinator", "worker", "cli"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".cu", ".cuh"):
                checked += 1
                found += violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    print("\n".join(found))
    print(f"{checked} files checked, {len(found)} violations")
    return 1 if found or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
