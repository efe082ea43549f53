#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights::testing {

/// A bundle folder with every part, tiny weights and no model behind them; parts can be changed before it is opened.
class BundleFolder {
 public:
  /// `condition`: null, "latent_concat" or "token_replace".
  explicit BundleFolder(const nlohmann::json& condition = "latent_concat", bool llava = true) {
    index = {{"_class_name", "HunyuanVideoImageToVideoPipeline"},
             {"_diffusers_version", "0.42.1"},
             {"transformer", {"diffusers", "HunyuanVideoTransformer3DModel"}},
             {"vae", {"diffusers", "AutoencoderKLHunyuanVideo"}},
             {"scheduler", {"diffusers", "FlowMatchEulerDiscreteScheduler"}},
             {"text_encoder", {"transformers", llava ? "LlavaForConditionalGeneration" : "LlamaModel"}},
             {"text_encoder_2", {"transformers", "CLIPTextModel"}},
             {"tokenizer", {"transformers", "LlamaTokenizerFast"}},
             {"tokenizer_2", {"transformers", "CLIPTokenizer"}},
             {"image_encoder", {nullptr, nullptr}}};
    transformer = {{"_class_name", "HunyuanVideoTransformer3DModel"},
                   {"in_channels", condition == "latent_concat" ? 33 : 16},
                   {"guidance_embeds", condition != "latent_concat"},
                   {"image_condition_type", condition}};
    vae = {{"latent_channels", 16}, {"spatial_compression_ratio", 8}, {"temporal_compression_ratio", 4}};
    scheduler = {{"shift", 7.0}};
    llava_config = {{"vision_config", {{"image_size", 336}, {"patch_size", 14}}},
                    {"vision_feature_select_strategy", "default"}};
    if (!llava) llava_config = nlohmann::json::object();
    if (llava) index["image_processor"] = {"transformers", "CLIPImageProcessor"};
    write();
  }

  void write() const {
    write_json("model_index.json", index);
    write_json("transformer/config.json", transformer);
    write_json("vae/config.json", vae);
    write_json("scheduler/scheduler_config.json", scheduler);
    write_json("text_encoder/config.json", llava_config);
    write_json("text_encoder_2/config.json", nlohmann::json::object());
    write_json("tokenizer/tokenizer.json", nlohmann::json::object());
    write_json("tokenizer_2/tokenizer.json", nlohmann::json::object());
    if (index.contains("image_processor"))
      write_json("image_processor/preprocessor_config.json", nlohmann::json::object());
    for (const char* part : {"transformer", "vae", "text_encoder", "text_encoder_2"}) write_weights(part, {1, 2, 3});
  }

  void write_json(const std::string& name, const nlohmann::json& value) const {
    write_text(folder / name, value.dump());
  }

  void write_weights(const std::string& component, const std::vector<float>& values) const {
    std::filesystem::create_directories(folder / component);
    SafetensorsWriter writer(folder / component / "model.safetensors",
                             {{"w", DType::f32, {static_cast<std::int64_t>(values.size())}}});
    writer.append("w", std::as_bytes(std::span(values)));
    writer.finish();
  }

  const std::filesystem::path& path() const { return folder.path(); }

  TemporaryFolder folder;
  nlohmann::json index, transformer, vae, scheduler, llava_config;
};

}  // namespace reelfarm::weights::testing
