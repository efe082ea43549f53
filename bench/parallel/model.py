#!/usr/bin/env python3
"""Prints what a forward of the published 13 B transformer takes on many GPUs, on paper: the table of docs/parallel.md.

Rates of computing are those measured on one H200 (bf16). What the all-to-all costs by copy engines, less what runs beside
computing, goes at the rate that 2 and 4 H200 with NVLink gave (bench/RESULTS.md: 138 to 204 GB/s of bytes sent at 81 and
121 frames; over NCCL 111 to 125); the links of the rings are assumptions, per GPU and direction.
"""
import math

WIDTH, HEADS, BLOCKS, BYTES = 3072, 24, 60, 2
TEXT = 256  # tokens that every rank computes
LINEAR_RATE, ATTENTION_RATE = 700e12, 572e12  # FLOP/s
NVLINK, NETWORK = 300e9, 50e9  # bytes/s
ALL_TO_ALL = 160e9  # bytes/s
LATENCY = 20e-6  # seconds of each exchange besides its bytes
GPUS_OF_NODE = 8
CLIPS = {"81 frames": (42840, 0.59e15, 1.38e15), "121 frames": (63240, 0.87e15, 2.98e15)}  # tokens, FLOP of each kind


def forward_seconds(tokens, linear, attention, ranks):
    """(mesh, seconds, seconds of all-to-all, seconds of the ring that attention does not hide)"""
    near = math.gcd(ranks, GPUS_OF_NODE)
    ulysses = math.gcd(near, HEADS)
    ring = ranks // ulysses
    part = math.ceil(tokens / ranks)
    linears = linear / LINEAR_RATE * (part + (TEXT if ranks > 1 else 0)) / tokens
    attend = attention / ATTENTION_RATE / ranks
    # q, k and v out, the result back; of each the share that is for other ranks.
    all_to_all = 0.0
    if ulysses > 1:
        moved = 4 * part * WIDTH * BYTES
        all_to_all = BLOCKS * (moved * (ulysses - 1) / ulysses / ALL_TO_ALL + 2 * LATENCY)
    # k and v of a row's heads go to the next row while those at hand are computed with.
    exposed = 0.0
    if ring > 1:
        link = NETWORK if ranks > GPUS_OF_NODE else NVLINK
        hop = 2 * part * WIDTH * BYTES / link + LATENCY
        exposed = BLOCKS * (ring - 1) * max(0.0, hop - attend / BLOCKS / ring)
    return f"{ulysses}x{ring}", linears + attend + all_to_all + exposed, all_to_all, exposed


def main():
    print("| clip | GPUs | nodes | mesh | forward | speed-up | all-to-all | ring, not hidden |")
    print("|---|---|---|---|---|---|---|---|")
    for name, clip in CLIPS.items():
        alone = forward_seconds(*clip, 1)[1]
        for ranks in (1, 2, 4, 8, 16, 64):
            mesh, seconds, all_to_all, exposed = forward_seconds(*clip, ranks)
            nodes = math.ceil(ranks / GPUS_OF_NODE)
            print(f"| {name} | {ranks} | {nodes} | {mesh} | {seconds * 1e3:.0f} ms | {alone / seconds:.2f} "
                  f"| {100 * all_to_all / seconds:.0f} % | {100 * exposed / seconds:.0f} % |")


if __name__ == "__main__":
    main()
