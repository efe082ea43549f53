"""Tokenizers trained on the captions, the prompt templates, and prompts as rows of token ids.

The I2V template has the layout of HunyuanVideo-I2V (image token at position 5, the assistant header's four tokens cut
out again); the T2I template that of HunyuanVideo. Crops and counts are derived here and written into reelfarm.json.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random

import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

import captions
import world

I2V_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\n<image>\nDescribe the video:<|eot_id|>\n\n"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
T2I_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the image:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<image>", "<pad>")
LLAMA3_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCABULARY, VOCABULARY_2 = 1280, 1024
IMAGE_SIZE, PATCH = 56, 14
IMAGE_TOKENS = (IMAGE_SIZE // PATCH) ** 2
IMAGE_START = 5
INTERLEAVE = 2
TEXT_TOKENS = 64  # max_sequence_length of both templates
CAPTION_TOKENS = 51  # longest caption in training
CLIP_TOKENS = 77


def corpus(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    table = np.concatenate([world.combinations(False), world.combinations(True)])
    names = (world.SHAPES, world.COLOURS, world.MOTIONS, world.BACKGROUNDS)
    out = []
    for _ in range(count):
        row = [names[i][k] for i, k in enumerate(table[rng.randrange(len(table))])]
        second = None
        if rng.random() < 0.3:
            second = (rng.choice(world.SHAPES), rng.choice(world.COLOURS), rng.choice(world.MOTIONS))
        out.append(captions.caption(*row, rng, second))
    return out


def train_tokenizers(folder: pathlib.Path, seed: int = 0) -> None:
    """Writes tokenizer/ (Llama 3 kind) and tokenizer_2/ (CLIP kind) below `folder`."""
    texts = corpus(60_000, seed)
    # The words of the templates must be one token each: the crop counts tokens.
    frame = ["system", "user", "assistant", "\n\n", "\n", "Describe the video:", "Describe the image:"] * 3000

    llama = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated", invert=False)
    llama.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    llama.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(SPECIAL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    llama.train_from_iterator(texts + frame, trainer)
    llama.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    bos = SPECIAL[0]
    llama.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, llama.token_to_id(bos))])])
    fast = PreTrainedTokenizerFast(tokenizer_object=llama, bos_token=bos, eos_token="<|end_of_text|>", pad_token="<pad>", padding_side="right",
                                   model_max_length=TEXT_TOKENS + 64, clean_up_tokenization_spaces=False, extra_special_tokens=list(SPECIAL[2:6]))
    fast.save_pretrained(folder / "tokenizer")

    shell = CLIPTokenizer()  # its own normalizer and splitting rule
    clip = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=None))
    clip.normalizer, clip.pre_tokenizer = shell.backend_tokenizer.normalizer, shell.backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY_2 - 2 - len(alphabet), initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False)
    clip.train_from_iterator(texts, trainer)
    state = __import__("json").loads(clip.to_str())
    # CLIP's layout: bytes, bytes that end a word, merges, then the two special tokens.
    learnt, merges = state["model"]["vocab"], [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in state["model"]["merges"]]
    order = alphabet + [a + "</w>" for a in alphabet]
    order += [t for t, _ in sorted(learnt.items(), key=lambda item: item[1]) if t not in set(order)]
    vocabulary = {t: i for i, t in enumerate(order)}
    for t in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[t] = len(vocabulary)
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CLIP_TOKENS).save_pretrained(folder / "tokenizer_2")


@dataclasses.dataclass
class Rows:
    """Token rows of a batch of captions; `length` counts the caption's own tokens in the Llama rows."""

    i2v: torch.Tensor  # (n, I2V row) int16, image tokens expanded
    t2i: torch.Tensor  # (n, T2I row) int16
    clip: torch.Tensor  # (n, CLIP row) int16
    length: torch.Tensor  # (n) int16


class Prompts:
    """Loads the two tokenizers and turns captions into fixed-length rows."""

    def __init__(self, folder: pathlib.Path):
        self.llama = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
        self.clip = CLIPTokenizer.from_pretrained(folder / "tokenizer_2")
        head, tail = I2V_TEMPLATE.split("{}")
        prefix = self.llama(head).input_ids
        self.image_token = self.llama.convert_tokens_to_ids("<image>")
        if prefix.index(self.image_token) != IMAGE_START:
            raise ValueError(f"I2V template: <image> is token {prefix.index(self.image_token)} of {prefix}, expected {IMAGE_START}")
        self.i2v_crop = len(prefix)
        self.i2v_prefix = prefix[:IMAGE_START] + [self.image_token] * IMAGE_TOKENS + prefix[IMAGE_START + 1 :]
        self.i2v_suffix = self.llama(tail, add_special_tokens=False).input_ids
        if len(self.i2v_suffix) != 5:
            raise ValueError(f"I2V template: the end is {self.i2v_suffix}, expected 5 tokens (eot, start, assistant, end, newlines)")
        head, tail = T2I_TEMPLATE.split("{}")
        self.t2i_prefix = self.llama(head).input_ids
        self.t2i_suffix = self.llama(tail, add_special_tokens=False).input_ids
        self.t2i_crop = len(self.t2i_prefix)
        self.pad = self.llama.pad_token_id
        self.clip_eos = self.clip.eos_token_id

    @property
    def i2v_start(self) -> int:
        """Where the caption starts in an expanded I2V row."""
        return len(self.i2v_prefix)

    def rows(self, texts: list[str], limit: int = CAPTION_TOKENS, clip_tokens: int = 64) -> tuple[Rows, list[int]]:
        """Rows of the captions that fit, and their indices in `texts`."""
        ids = self.llama(texts, add_special_tokens=False).input_ids
        clip = self.clip(texts).input_ids
        kept = [i for i in range(len(texts)) if len(ids[i]) <= limit and len(clip[i]) <= clip_tokens]

        def pad(row, size, value):
            return row + [value] * (size - len(row))

        i2v = [pad(self.i2v_prefix + ids[i] + self.i2v_suffix, len(self.i2v_prefix) + limit + len(self.i2v_suffix), self.pad) for i in kept]
        t2i = [pad(self.t2i_prefix + ids[i] + self.t2i_suffix, len(self.t2i_prefix) + limit + len(self.t2i_suffix), self.pad) for i in kept]
        row2 = [pad(clip[i], clip_tokens, self.clip_eos) for i in kept]
        as_tensor = lambda rows: torch.tensor(rows, dtype=torch.int16)  # noqa: E731
        return Rows(as_tensor(i2v), as_tensor(t2i), as_tensor(row2), as_tensor([len(ids[i]) for i in kept])), kept


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    args = parser.parse_args()
    train_tokenizers(args.work)
    prompts = Prompts(args.work)
    lengths = [len(x) for x in prompts.llama(corpus(2000, 1), add_special_tokens=False).input_ids]
    clip_lengths = [len(x) for x in prompts.clip(corpus(2000, 1)).input_ids]
    print(f"wrote {args.work}/tokenizer and tokenizer_2; caption tokens: median {np.median(lengths):.0f}, 99 % {np.percentile(lengths, 99):.0f}, "
          f"most {max(lengths)}; CLIP {np.median(clip_lengths):.0f}/{max(clip_lengths)}; crops i2v {prompts.i2v_crop}, t2i {prompts.t2i_crop}")
