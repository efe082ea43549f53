"""A whole clip: this program next to diffusers' pipeline, in one run on one GPU.

    python3 bench/models/clip.py bench_clip [--frames 81 121] [--dtype bf16 fp8] [--tiles diffusers long]
                                            [--max-memory 24G 16G]

Image to video at 960x544 in 4 steps, in HunyuanVideo's sizes (13 B transformer, 8 B LLaVA, CLIP-L, the VAE) with random
weights, and the tokenizers of bundles/demo. From image and prompt to 8-bit frames in host memory: seconds of all, of the
encoders, of the steps, of the decode, the most GiB of tensors while loading and in a clip, and the most that nvidia-smi
saw taken. With --max-memory each dtype is measured once more under each limit, which chooses the tiles. The peer's blocks are
compiled; its steps are four times the median of the forwards after the one that compiles, so that one clip tells.
--small is a dry run of the same on the CPU.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import torch
from PIL import Image

import random_bundle

PROMPT = "among the clouds a dark black square tile circling in a counterclockwise direction."


def open_pipeline(bundle, device):
    """diffusers' pipeline of the bundle, on the device, and the prompt's template for it."""
    from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoImageToVideoPipeline, HunyuanVideoTransformer3DModel
    from transformers import CLIPTextModel, LlavaForConditionalGeneration

    parts = dict(text_encoder=LlavaForConditionalGeneration, text_encoder_2=CLIPTextModel,
                 transformer=HunyuanVideoTransformer3DModel, vae=AutoencoderKLHunyuanVideo)
    parts = {name: part.from_pretrained(bundle / name, torch_dtype=torch.bfloat16).eval().to(device)
             for name, part in parts.items()}
    prompt = json.loads((bundle / "reelfarm.json").read_text())["image_prompt"]
    template = dict(template=prompt["template"], crop_start=prompt["crop_start"], image_emb_start=prompt["image_embed_start"],
                    image_emb_end=prompt["image_embed_end"], image_emb_len=prompt["image_embed_length"],
                    double_return_token_id=prompt["double_return_token_id"])
    pipeline = HunyuanVideoImageToVideoPipeline.from_pretrained(bundle, torch_dtype=torch.bfloat16, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, template


@torch.inference_mode()
def peer(bundle, frames, device):
    pipeline, template = open_pipeline(bundle, device)
    image, gpu = Image.open(bundle / "image.png"), device == "cuda"
    if gpu:
        pipeline.transformer.compile_repeated_blocks(fullgraph=True)
        pipeline.vae.enable_tiling()  # without it the decode alone takes 48 GiB
        torch.cuda.reset_peak_memory_stats()
    width, height = image.size
    marks = [time.perf_counter()]

    def mark(*_):
        if gpu:
            torch.cuda.synchronize()
        marks.append(time.perf_counter())

    before = pipeline.transformer.register_forward_pre_hook(mark)
    after = pipeline.transformer.register_forward_hook(mark)
    # It drops the first four frames of what it decodes.
    video = pipeline(image=image, prompt=PROMPT, prompt_template=template, width=width, height=height,
                     num_frames=frames, num_inference_steps=4, guidance_scale=1.0, image_embed_interleave=2,
                     output_type="pt").frames
    (video * 255).round().to(torch.uint8).cpu()
    mark()
    before.remove()
    after.remove()
    forwards = sorted(end - begin for begin, end in zip(marks[1:-1:2], marks[2::2]))[:-1]  # the longest one compiles
    encoders, forward, decode = marks[1] - marks[0], statistics.median(forwards), marks[-1] - marks[-2]
    memory = torch.cuda.max_memory_allocated() / 2**30 if gpu else 0
    print(f"{frames:6} diffusers, compiled  {encoders + 4 * forward + decode:8.2f} s {encoders:9.2f} {4 * forward:9.2f} {decode:9.2f}"
          f"    {'':7} {memory:7.1f}   one forward {forward:.3f} s", flush=True)
    # The compiler's caches may hold what they compiled: its memory goes all the same.
    for part in (pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        for parameter in part.parameters():
            parameter.data = torch.empty(0)
    del pipeline
    torch.cuda.empty_cache()


class GpuMemory:
    """The most GiB that the driver says are taken of GPU 0 while it is open, looked at every 50 ms."""

    def __enter__(self):
        words = ["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--loop-ms=50"]
        self.samples = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(words, stdout=self.samples) if shutil.which("nvidia-smi") else None
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.samples.seek(0)
        self.most = max((int(line) for line in self.samples if line.strip().isdigit()), default=0) / 1024


def ours(binary, bundle, dtype, frames, tiles, size, device, limit=""):
    """A clip of five frames to warm up, then one of each length."""
    lengths = [5, *frames]
    words = [binary, bundle, dtype, "8", device, str(size[0]), str(size[1]), "auto" if limit else tiles, bundle / "images",
             *(["", limit] if limit else [])]
    begin = time.perf_counter()
    with GpuMemory() as taken:
        done = subprocess.run(words, input="".join(f"{length} 0 {PROMPT}\n" for length in lengths), capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if limit:
        print(f"{limit}: {done.stderr.strip()[:300]}", flush=True)
    if done.returncode != 0:
        print(f"{dtype:11} {tiles:10} failed: {done.stderr.strip()[-600:]}", flush=True)
    loading, *clips = [[float(word) for word in line.split()] for line in done.stdout.splitlines()] or [[0.0]]
    for length, clip in list(zip(lengths, clips))[1:]:
        everything, encoders, steps, decode, memory = clip
        print(f"{length:6} {dtype:11} {tiles:9} {everything:8.2f} s {encoders:9.2f} {steps:9.2f} {decode:9.2f}    {loading[0]:7.1f} "
              f"{memory:7.1f}   nvidia-smi {taken.most:.1f} GiB, warm-up {clips[0][0]:.2f} s, start {seconds - sum(one[0] for one in clips):.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--frames", type=int, nargs="+", default=[81])
    parser.add_argument("--dtype", nargs="+", default=["bf16", "fp8"])
    parser.add_argument("--tiles", nargs="+", default=["diffusers"])
    parser.add_argument("--max-memory", nargs="+", default=[])
    parser.add_argument("--bundle", type=pathlib.Path, help="of random_bundle.py, written there if it is not; else one that goes at the end")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device = "cpu" if arguments.small else "cuda"
    with tempfile.TemporaryDirectory(dir=None if arguments.small else "/dev/shm") as folder:
        bundle = arguments.bundle or pathlib.Path(folder) / "bundle"
        begin = time.perf_counter()
        random_bundle.write(bundle, arguments.small, device)
        print(f"bundle written, {time.perf_counter() - begin:.0f} s", flush=True)
        print("frames dtype       tiles          all  encoders     steps    decode   load, GiB clip, GiB")
        if not arguments.no_peer:
            peer(bundle, arguments.frames[0], device)
        for dtype in arguments.dtype:
            for tiles in arguments.tiles:
                for limit in ("", *arguments.max_memory):
                    ours(arguments.binary.resolve(), bundle, dtype, arguments.frames, tiles,
                         random_bundle.SIZES[arguments.small], device, limit)


if __name__ == "__main__":
    main()
