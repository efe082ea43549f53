"""Names and shapes of the tensors of a bundle's parts, from their config.json: what diffusers and transformers save.

That weights can be made where neither is installed. tests/bench/shapes_test.py holds them against the demo bundle's
files, and every loader refuses a part with one tensor more or less.
"""


def linear(name, out, inputs, bias=True):
    yield f"{name}.weight", (out, inputs)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name, width):
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def convolution(name, out, inputs, side=3):
    yield f"{name}.weight", (out, inputs, side, side, side)
    yield f"{name}.bias", (out,)


def clip_layer(name, width, inner):
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        yield from linear(f"{name}.self_attn.{part}", width, width)
    yield from linear(f"{name}.mlp.fc1", inner, width)
    yield from linear(f"{name}.mlp.fc2", width, inner)
    yield from norm(f"{name}.layer_norm1", width)
    yield from norm(f"{name}.layer_norm2", width)


def clip_text(config):
    width = config["hidden_size"]
    yield "embeddings.token_embedding.weight", (config["vocab_size"], width)
    yield "embeddings.position_embedding.weight", (config["max_position_embeddings"], width)
    for layer in range(config["num_hidden_layers"]):
        yield from clip_layer(f"encoder.layers.{layer}", width, config["intermediate_size"])
    yield from norm("final_layer_norm", width)


def clip_vision(name, config):
    width, side = config["hidden_size"], config["patch_size"]
    yield f"{name}.embeddings.class_embedding", (width,)
    yield f"{name}.embeddings.patch_embedding.weight", (width, config["num_channels"], side, side)
    yield f"{name}.embeddings.position_embedding.weight", ((config["image_size"] // side) ** 2 + 1, width)
    for layer in range(config["num_hidden_layers"]):
        yield from clip_layer(f"{name}.encoder.layers.{layer}", width, config["intermediate_size"])
    yield from norm(f"{name}.pre_layrnorm", width)
    yield from norm(f"{name}.post_layernorm", width)


def llama(name, config):
    width, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    yield f"{name}.lm_head.weight", (config["vocab_size"], width)
    yield f"{name}.model.embed_tokens.weight", (config["vocab_size"], width)
    yield f"{name}.model.norm.weight", (width,)
    for layer in range(config["num_hidden_layers"]):
        at = f"{name}.model.layers.{layer}"
        for part, out, inputs in (("self_attn.q_proj", queries, width), ("self_attn.k_proj", keys, width),
                                  ("self_attn.v_proj", keys, width), ("self_attn.o_proj", width, queries),
                                  ("mlp.gate_proj", inner, width), ("mlp.up_proj", inner, width),
                                  ("mlp.down_proj", width, inner)):
            yield from linear(f"{at}.{part}", out, inputs, bias=False)
        yield f"{at}.input_layernorm.weight", (width,)
        yield f"{at}.post_attention_layernorm.weight", (width,)


def llava(config):
    text, vision = config["text_config"], config["vision_config"]
    yield from llama("language_model", text)
    yield from linear("multi_modal_projector.linear_1", text["hidden_size"], vision["hidden_size"])
    yield from linear("multi_modal_projector.linear_2", text["hidden_size"], text["hidden_size"])
    yield from clip_vision("vision_tower", vision)


def mlp(name, width, inner):
    yield from linear(f"{name}.net.0.proj", inner, width)
    yield from linear(f"{name}.net.2", width, inner)


def embeddings(name, width, pooled):
    for part, inputs in (("timestep_embedder", 256), ("text_embedder", pooled)):
        yield from linear(f"{name}.{part}.linear_1", width, inputs)
        yield from linear(f"{name}.{part}.linear_2", width, width)


def hunyuan_transformer(config):
    head, text = config["attention_head_dim"], config["text_embed_dim"]
    width = config["num_attention_heads"] * head
    inner = int(config["mlp_ratio"] * width)
    patch = (config["patch_size_t"], config["patch_size"], config["patch_size"])
    yield "x_embedder.proj.weight", (width, config["in_channels"], *patch)
    yield "x_embedder.proj.bias", (width,)
    yield from linear("context_embedder.proj_in", width, text)
    yield from embeddings("context_embedder.time_text_embed", width, text)
    yield from embeddings("time_text_embed", width, config["pooled_projection_dim"])
    for block in range(config["num_refiner_layers"]):
        at = f"context_embedder.token_refiner.refiner_blocks.{block}"
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from linear(f"{at}.attn.{part}", width, width)
        yield from mlp(f"{at}.ff", width, inner)
        yield from norm(f"{at}.norm1", width)
        yield from norm(f"{at}.norm2", width)
        yield from linear(f"{at}.norm_out.linear", 2 * width, width)
    for block in range(config["num_layers"]):
        at = f"transformer_blocks.{block}"
        for part in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            yield from linear(f"{at}.attn.{part}", width, width)
        for part in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            yield f"{at}.attn.{part}.weight", (head,)
        for part in ("norm1", "norm1_context"):
            yield from linear(f"{at}.{part}.linear", 6 * width, width)
        for part in ("ff", "ff_context"):
            yield from mlp(f"{at}.{part}", width, inner)
    for block in range(config["num_single_layers"]):
        at = f"single_transformer_blocks.{block}"
        for part in ("to_q", "to_k", "to_v"):
            yield from linear(f"{at}.attn.{part}", width, width)
        for part in ("norm_q", "norm_k"):
            yield f"{at}.attn.{part}.weight", (head,)
        yield from linear(f"{at}.norm.linear", 3 * width, width)
        yield from linear(f"{at}.proj_mlp", inner, width)
        yield from linear(f"{at}.proj_out", width, width + inner)
    yield from linear("norm_out.linear", 2 * width, width)
    yield from linear("proj_out", patch[0] * patch[1] * patch[2] * config["out_channels"], width)


def resnet(name, out, inputs):
    yield from norm(f"{name}.norm1", inputs)
    yield from convolution(f"{name}.conv1.conv", out, inputs)
    yield from norm(f"{name}.norm2", out)
    yield from convolution(f"{name}.conv2.conv", out, out)
    if out != inputs:
        yield from convolution(f"{name}.conv_shortcut.conv", out, inputs, side=1)


def middle(name, width, attention):
    for index in range(2):
        yield from resnet(f"{name}.resnets.{index}", width, width)
    if attention:
        yield from norm(f"{name}.attentions.0.group_norm", width)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from linear(f"{name}.attentions.0.{part}", width, width)


def stages(name, widths, first, resnets, sampler):
    """Resnets of each width and, but after the last, a convolution that halves or doubles the size."""
    inputs = first
    for stage, width in enumerate(widths):
        for index in range(resnets):
            yield from resnet(f"{name}.{stage}.resnets.{index}", width, inputs)
            inputs = width
        if stage + 1 < len(widths):
            yield from convolution(f"{name}.{stage}.{sampler}.0.conv.conv", width, width)


def hunyuan_vae(config):
    widths, latents, layers = config["block_out_channels"], config["latent_channels"], config["layers_per_block"]
    attention = config["mid_block_add_attention"]
    yield from convolution("encoder.conv_in.conv", widths[0], config["in_channels"])
    yield from stages("encoder.down_blocks", widths, widths[0], layers, "downsamplers")
    yield from middle("encoder.mid_block", widths[-1], attention)
    yield from norm("encoder.conv_norm_out", widths[-1])
    yield from convolution("encoder.conv_out.conv", 2 * latents, widths[-1])
    yield from convolution("quant_conv", 2 * latents, 2 * latents, side=1)
    yield from convolution("post_quant_conv", latents, latents, side=1)
    yield from convolution("decoder.conv_in.conv", widths[-1], latents)
    yield from middle("decoder.mid_block", widths[-1], attention)
    yield from stages("decoder.up_blocks", widths[::-1], widths[-1], layers + 1, "upsamplers")
    yield from norm("decoder.conv_norm_out", widths[0])
    yield from convolution("decoder.conv_out.conv", config["out_channels"], widths[0])


# Of each part of a bundle: its tensors, and the file that they are in.
PARTS = {
    "text_encoder": (llava, "model.safetensors"),
    "text_encoder_2": (clip_text, "model.safetensors"),
    "transformer": (hunyuan_transformer, "diffusion_pytorch_model.safetensors"),
    "vae": (hunyuan_vae, "diffusion_pytorch_model.safetensors"),
}
