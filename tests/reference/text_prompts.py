"""Writes whole bundles with random little text encoders, and what diffusers' pipelines make of prompts and a photograph.

One folder per bundle, as diffusers saves it, with cases.json and reference.safetensors beside them. The tokenizers are
trained on a few sentences and on the templates, so that these have as many tokens as under Llama 3's vocabulary.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video, pipeline_hunyuan_video_image2video
from PIL import Image
from safetensors.torch import save_file
from text_encoders import horizontal_pass_first, llama_config, llava_config, photograph, randomise
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, LlamaModel, LlavaForConditionalGeneration
from transformers import PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

VIDEO = pipeline_hunyuan_video.DEFAULT_PROMPT_TEMPLATE["template"]
IMAGE_TO_VIDEO = pipeline_hunyuan_video_image2video.DEFAULT_PROMPT_TEMPLATE["template"]
# Tencent/HunyuanVideo hyvideo/constants.py, PROMPT_TEMPLATE_ENCODE.
IMAGE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
MAGIC = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the video by detailing the main character:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n<image><|eot_id|>"
)
SENTENCES = [
    "A cat walks on the grass, realistic style.",
    "A man with short gray hair plays a red electric guitar.",
    "Golden light falls through the trees of an old garden; the camera moves slowly to the left.",
    "The waves break on the rocks, spray rises, gulls circle above the sea at dawn.",
]
PROMPTS = [
    "A cat walks on the grass, realistic style.",
    "  two  spaces, a\nnew line,\ttabs and \"quotes\" -- 1234 don't  ",
    "Ein Gärtner im Schnee; 庭を歩く猫 🐈‍⬛, кошка на траве.",
    " ".join(SENTENCES * 2),  # more than CLIP's 77 tokens
]
MAX_LENGTH = 256
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_TOKENS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<image>", "<pad>",
]  # fmt: skip


def llama_tokenizer():
    """Byte-level BPE with Llama 3's pattern and special tokens, trained on the templates and a few sentences."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    plain = [IMAGE_TO_VIDEO, VIDEO, IMAGE, MAGIC]
    for token in SPECIAL_TOKENS:
        plain = [text.replace(token, "") for text in plain]
    tokenizer.train_from_iterator(plain * 3 + SENTENCES, trainer)
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>", pad_token="<pad>",
        padding_side="right",
    )  # fmt: skip


def clip_tokenizer():
    """CLIP's tokenizer with a little vocabulary."""
    scratch = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    scratch.normalizer = CLIPTokenizer().backend_tokenizer.normalizer
    scratch.pre_tokenizer = CLIPTokenizer().backend_tokenizer.pre_tokenizer
    # The alphabet once alone and once as an end of a word, as in CLIP's vocabulary: no byte is unknown.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=700, end_of_word_suffix="</w>", show_progress=False,
        special_tokens=alphabet + [letter + "</w>" for letter in alphabet],
    )  # fmt: skip
    scratch.train_from_iterator(SENTENCES, trainer)
    model = json.loads(scratch.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for token in ["<|startoftext|>", "<|endoftext|>"]:
        vocabulary[token] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=[tuple(merge) for merge in model["merges"]], model_max_length=77)


def clip_text_model(tokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return randomise(CLIPTextModel(config), 31)


def other_components(condition):
    channels = 4
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=2 * channels + 1 if condition == "latent_concat" else channels, out_channels=channels,
        num_attention_heads=2, attention_head_dim=16, num_layers=1, num_single_layers=1, num_refiner_layers=1,
        text_embed_dim=48, pooled_projection_dim=24, rope_axes_dim=(4, 6, 6), image_condition_type=condition,
        guidance_embeds=condition != "latent_concat",
    )  # fmt: skip
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=channels, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4
    )
    return dict(transformer=transformer, vae=vae, scheduler=FlowMatchEulerDiscreteScheduler())


def language_fields(tokenizer):
    return dict(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip


def llava_model(tokenizer, seed):
    config = llava_config(
        text_config=llama_config(num_hidden_layers=4, **language_fields(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return randomise(LlavaForConditionalGeneration(config), seed)


def tokens_before(tokenizer, text):
    """Tokens up to `text`'s placeholder, the beginning-of-text token among them."""
    return len(tokenizer(text.split("{}")[0]).input_ids)


def valid_rows(states, mask):
    return states[0][mask[0].bool()]


class Writer:
    def __init__(self, output):
        self.output = output
        self.cases = []
        self.tensors = {}

    def add(self, bundle, branch, prompt, states, pooled, dtype="fp32"):
        key = str(len(self.cases))
        self.cases.append(dict(bundle=bundle, branch=branch, prompt=prompt, dtype=dtype))
        self.tensors[f"{key}.states"] = states.contiguous()
        self.tensors[f"{key}.pooled"] = pooled[0].contiguous()

    def save(self):
        (self.output / "cases.json").write_text(json.dumps(self.cases))
        save_file(self.tensors, self.output / "reference.safetensors")


def write_text_to_video(writer, tokenizer, tokenizer_2):
    """Text-to-video with a text-to-image transformer, which has a template of its own."""
    pipeline = HunyuanVideoPipeline(
        text_encoder=randomise(LlamaModel(llama_config(**language_fields(tokenizer))), 30), tokenizer=tokenizer,
        text_encoder_2=clip_text_model(tokenizer_2), tokenizer_2=tokenizer_2, **other_components(None),
    )  # fmt: skip
    folder = writer.output / "t2v"
    pipeline.save_pretrained(folder)
    shutil.copytree(folder / "transformer", folder / "transformer_t2i")
    crops = {"t2v": 95, "t2i": 36}
    assert tokens_before(tokenizer, VIDEO) == 95 and tokens_before(tokenizer, IMAGE) == 36
    for branch, template in [("t2v", VIDEO), ("t2i", IMAGE)]:
        for prompt in PROMPTS + [longest_prompt(tokenizer, template, crops[branch])]:
            with torch.no_grad():
                states, pooled, mask = pipeline.encode_prompt(
                    prompt, prompt_template={"template": template, "crop_start": crops[branch]}
                )
            writer.add("t2v", branch, prompt, valid_rows(states, mask), pooled)
    pipeline.to(torch.bfloat16)
    with torch.no_grad():
        states, pooled, mask = pipeline.encode_prompt(
            PROMPTS[0], prompt_template={"template": VIDEO, "crop_start": crops["t2v"]}
        )
    writer.add("t2v", "t2v", PROMPTS[0], valid_rows(states, mask), pooled, "bf16")


def longest_prompt(tokenizer, template, crop_start):
    """A prompt that fills the tokens a bundle allows to the last one."""
    prompt = "cat"
    while len(tokenizer(template.format(prompt + " a")).input_ids) <= crop_start + MAX_LENGTH:
        prompt += " a"
    assert len(tokenizer(template.format(prompt)).input_ids) == crop_start + MAX_LENGTH
    return prompt


def image_prompt(tokenizer):
    assert tokens_before(tokenizer, IMAGE_TO_VIDEO) == 103
    assert tokens_before(tokenizer, IMAGE_TO_VIDEO.split("<image>")[0]) == 5
    # Like diffusers' own, for a tower of 25 patches instead of 576.
    return dict(template=IMAGE_TO_VIDEO, crop_start=103, image_emb_start=5, image_emb_end=30, image_emb_len=25)


def write_text_to_image(writer, pipeline, bundle):
    """Text-to-image beside image-to-video: the prompt goes through the language model of the LLaVA."""
    parts = {name: part for name, part in pipeline.components.items() if name != "image_processor"}
    shutil.copytree(writer.output / "t2v/transformer", writer.output / bundle / "transformer_t2i")
    with torch.no_grad():
        states, pooled, mask = HunyuanVideoPipeline(**parts).encode_prompt(
            PROMPTS[0], prompt_template={"template": IMAGE, "crop_start": 36}
        )
    writer.add(bundle, "t2i", PROMPTS[0], valid_rows(states, mask), pooled)


def write_image_to_video(writer, tokenizer, tokenizer_2, photo, condition, interleave):
    pipeline = HunyuanVideoImageToVideoPipeline(
        text_encoder=llava_model(tokenizer, 32), tokenizer=tokenizer, text_encoder_2=clip_text_model(tokenizer_2),
        tokenizer_2=tokenizer_2, image_processor=tower_processor(), **other_components(condition),
    )  # fmt: skip
    pipeline.save_pretrained(writer.output / condition)
    template = image_prompt(tokenizer)
    for prompt in PROMPTS + [longest_prompt(tokenizer, IMAGE_TO_VIDEO, template["crop_start"])]:
        with torch.no_grad(), horizontal_pass_first():
            states, pooled, mask = pipeline.encode_prompt(
                photo, prompt, prompt_template=template, image_embed_interleave=interleave
            )
        writer.add(condition, "i2v", prompt, valid_rows(states, mask), pooled)
    if condition == "latent_concat":
        write_text_to_image(writer, pipeline, condition)
    pipeline.text_encoder.to(torch.bfloat16)
    pipeline.text_encoder_2.to(torch.bfloat16)
    with torch.no_grad(), horizontal_pass_first():
        states, pooled, mask = pipeline.encode_prompt(
            photo, PROMPTS[0], prompt_template=template, image_embed_interleave=interleave
        )
    writer.add(condition, "i2v", PROMPTS[0], valid_rows(states, mask), pooled, "bf16")


def tower_processor():
    return CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 20, "width": 20})


def write_magic(writer, tokenizer, tokenizer_2, photo):
    """Magic 1-For-1 reads the image through a LLaVA and the prompt through a Llama of its own; the rows of the image come
    first. diffusers has no pipeline for it: the image's rows are made with transformers."""
    pipeline = HunyuanVideoPipeline(
        text_encoder=randomise(LlamaModel(llama_config(**language_fields(tokenizer))), 33), tokenizer=tokenizer,
        text_encoder_2=clip_text_model(tokenizer_2), tokenizer_2=tokenizer_2, **other_components("latent_concat"),
    )  # fmt: skip
    folder = writer.output / "magic"
    pipeline.save_pretrained(folder)
    vision = llava_model(tokenizer, 34)
    vision.save_pretrained(folder / "image_encoder")
    tower_processor().save_pretrained(folder / "image_processor")
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = "HunyuanVideoImageToVideoPipeline"
    index["image_encoder"] = ["transformers", "LlavaForConditionalGeneration"]
    index["image_processor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    crop = tokens_before(tokenizer, MAGIC.split("\n\n<image>")[0])
    start = tokens_before(tokenizer, MAGIC.split("<image>")[0])
    # A template of its own, shorter than Magic's, and what goes with it.
    settings = {"template": MAGIC, "crop_start": crop, "image_embed_start": start, "image_embed_length": 25}
    (folder / "reelfarm.json").write_text(json.dumps({"schema": 1, "image_prompt": settings}))
    ids = tokenizer(MAGIC, return_tensors="pt").input_ids[0]
    ids = torch.cat([ids[:start], torch.full((25,), tokenizer.convert_tokens_to_ids("<image>")), ids[start + 1 :]])
    for prompt in PROMPTS:
        with torch.no_grad(), horizontal_pass_first():
            pixels = tower_processor()(photo, return_tensors="pt").pixel_values.float()
            seen = vision(input_ids=ids[None], pixel_values=pixels, output_hidden_states=True).hidden_states[-1][0]
            states, pooled, mask = pipeline.encode_prompt(
                prompt, prompt_template={"template": VIDEO, "crop_start": 95}
            )
        image = torch.cat([seen[crop:start], seen[start : start + 25 : 4], seen[start + 25 :]])
        writer.add("magic", "i2v", prompt, torch.cat([image, valid_rows(states, mask)]), pooled)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    torch.manual_seed(0)
    photo = Image.fromarray(photograph())
    photo.save(output / "photo.png")
    tokenizer, tokenizer_2 = llama_tokenizer(), clip_tokenizer()
    writer = Writer(output)
    write_text_to_video(writer, tokenizer, tokenizer_2)
    write_image_to_video(writer, tokenizer, tokenizer_2, photo, "latent_concat", 2)
    write_image_to_video(writer, tokenizer, tokenizer_2, photo, "token_replace", 4)
    write_magic(writer, tokenizer, tokenizer_2, photo)
    writer.save()


if __name__ == "__main__":
    main()
