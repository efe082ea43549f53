#include "pipeline/dit/config.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace reelfarm::dit {
namespace {

constexpr std::string_view kClassName = "HunyuanVideoTransformer3DModel";

/// Typed access to one config object that remembers which keys it was asked for.
class Fields {
 public:
  Fields(const nlohmann::json& json, std::string_view where) : json_(json), where_(where) {
    if (!json.is_object()) throw ConfigError(where_ + ": expected a JSON object, found " + json.type_name());
  }

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const {
    const auto found = json_.find(key);
    throw ConfigError(where_ + ": '" + key + "' is " + (found == json_.end() ? "absent" : found->dump()) +
                      ", expected " + expected);
  }

  const nlohmann::json* find(const char* key) {
    known_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }

  std::int64_t count(const char* key, std::int64_t fallback, std::int64_t least = 1) {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return fallback;
    constexpr std::int64_t kMost = 1 << 20;
    const std::string expected = "a whole number from " + std::to_string(least) + " to " + std::to_string(kMost);
    if (!value->is_number_integer()) fail(key, expected);
    const auto number = value->get<std::int64_t>();
    if (number < least || number > kMost) fail(key, expected);
    return number;
  }

  double positive(const char* key, double fallback) {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number()) fail(key, "a positive number");
    const auto number = value->get<double>();
    if (!std::isfinite(number) || number <= 0) fail(key, "a positive number");
    return number;
  }

  bool flag(const char* key, bool fallback) {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(key, "true or false");
    return value->get<bool>();
  }

  void expect_no_others() const {
    for (const auto& [key, value] : json_.items()) {
      if (key.starts_with('_') || known_.contains(key)) continue;
      throw ConfigError(where_ + ": unknown key '" + key + "' (" + value.dump() + "); this is not a " +
                        std::string(kClassName) + " that this program knows");
    }
  }

 private:
  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
};

std::array<std::int64_t, 3> read_rope_dims(Fields& fields, std::int64_t head_dim,
                                           const std::array<std::int64_t, 3>& fallback) {
  const std::string expected = "three even numbers that sum to attention_head_dim " + std::to_string(head_dim);
  std::array<std::int64_t, 3> dims = fallback;
  if (const nlohmann::json* value = fields.find("rope_axes_dim"); value != nullptr) {
    if (!value->is_array() || value->size() != 3) fields.fail("rope_axes_dim", expected);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (!(*value)[axis].is_number_integer()) fields.fail("rope_axes_dim", expected);
      dims[axis] = (*value)[axis].get<std::int64_t>();
    }
  }
  for (const std::int64_t dim : dims) {
    if (dim < 0 || dim > head_dim || dim % 2 != 0) fields.fail("rope_axes_dim", expected);
  }
  if (dims[0] + dims[1] + dims[2] != head_dim) fields.fail("rope_axes_dim", expected);
  return dims;
}

ImageCondition read_condition(Fields& fields, const DitConfig& config) {
  const std::int64_t concat_channels = 2 * config.out_channels + 1;
  const bool concat = config.in_channels == concat_channels;
  const nlohmann::json* type = fields.find("image_condition_type");
  // Bundles written before the field existed have 33 channels and say nothing.
  const bool silent = type == nullptr || type->is_null();
  if (!silent && *type != "latent_concat" && *type != "token_replace") {
    fields.fail("image_condition_type", "null, \"latent_concat\" or \"token_replace\"");
  }
  const bool wants_concat = silent ? concat : *type == "latent_concat";
  const std::int64_t expected = wants_concat ? concat_channels : config.out_channels;
  if (config.in_channels != expected) {
    fields.fail("in_channels", std::to_string(expected) + (wants_concat ? " (noisy, condition and mask)" : "") +
                                   " for out_channels " + std::to_string(config.out_channels) +
                                   " and image_condition_type " + (silent ? "null" : type->dump()));
  }
  if (wants_concat) return ImageCondition::latent_concat;
  return silent ? ImageCondition::none : ImageCondition::token_replace;
}

}  // namespace

std::int64_t DitConfig::mlp_width() const {
  return static_cast<std::int64_t>(static_cast<double>(width()) * mlp_ratio);
}

DitConfig DitConfig::from_json(const nlohmann::json& json, std::string_view where) {
  Fields fields(json, where);
  const nlohmann::json* class_name = fields.find("_class_name");
  if (class_name != nullptr && *class_name != kClassName) {
    fields.fail("_class_name", "\"" + std::string(kClassName) + "\"");
  }
  DitConfig config;
  config.in_channels = fields.count("in_channels", config.in_channels);
  const nlohmann::json* out_channels = fields.find("out_channels");
  config.out_channels = out_channels != nullptr && out_channels->is_null()
                            ? config.in_channels
                            : fields.count("out_channels", config.out_channels);
  config.num_heads = fields.count("num_attention_heads", config.num_heads);
  config.head_dim = fields.count("attention_head_dim", config.head_dim);
  config.num_double_blocks = fields.count("num_layers", config.num_double_blocks, 0);
  config.num_single_blocks = fields.count("num_single_layers", config.num_single_blocks, 0);
  config.num_refiner_blocks = fields.count("num_refiner_layers", config.num_refiner_blocks, 0);
  config.mlp_ratio = fields.positive("mlp_ratio", config.mlp_ratio);
  config.patch_size = fields.count("patch_size", config.patch_size);
  config.patch_size_t = fields.count("patch_size_t", config.patch_size_t);
  config.guidance = fields.flag("guidance_embeds", config.guidance);
  config.text_dim = fields.count("text_embed_dim", config.text_dim);
  config.pooled_dim = fields.count("pooled_projection_dim", config.pooled_dim);
  config.rope_theta = fields.positive("rope_theta", config.rope_theta);
  config.rope_dims = read_rope_dims(fields, config.head_dim, config.rope_dims);
  config.condition = read_condition(fields, config);
  const nlohmann::json* norm = fields.find("qk_norm");
  if (norm != nullptr && *norm != "rms_norm") fields.fail("qk_norm", "\"rms_norm\"");
  fields.expect_no_others();
  return config;
}

DitConfig DitConfig::from_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw ConfigError(path.string() + ": cannot open: " + std::strerror(errno));
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(file);
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(path.string() + ": not valid JSON: " + error.what());
  }
  return from_json(json, path.string());
}

}  // namespace reelfarm::dit
