#include "pipeline/vae/config.hpp"

#include <bit>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace reelfarm::vae {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxChannels = 65536;

class Reader {
 public:
  Reader(const Json& json, const std::string& source) : json_(json), source_(source) {}

  [[noreturn]] void fail(const std::string& field, const std::string& expected) const {
    const auto at = json_.find(field);
    throw VaeError(source_ + ": " + field + " = " + (at == json_.end() ? "(absent)" : at->dump()) + ", expected " +
                   expected);
  }

  void integer(const std::string& field, std::int64_t& value, std::int64_t low, std::int64_t high) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    const std::string expected = "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    if (!at->is_number_integer()) fail(field, expected);
    value = at->get<std::int64_t>();
    if (value < low || value > high) fail(field, expected);
  }

  void boolean(const std::string& field, bool& value) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    if (!at->is_boolean()) fail(field, "true or false");
    value = at->get<bool>();
  }

  void positive(const std::string& field, double& value) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    if (!at->is_number() || !(at->get<double>() > 0.0)) fail(field, "a number above 0");
    value = at->get<double>();
  }

  void word(const std::string& field, std::initializer_list<std::string_view> allowed) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    std::string names;
    for (const std::string_view name : allowed) {
      if (at->is_string() && at->get_ref<const std::string&>() == name) return;
      names += (names.empty() ? "" : " or ") + std::string(name);
    }
    fail(field, names);
  }

  void channels(const std::string& field, std::vector<std::int64_t>& value) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    const std::string expected = "a list of channel counts from 1 to " + std::to_string(kMaxChannels);
    if (!at->is_array() || at->empty()) fail(field, expected);
    value.clear();
    for (const Json& item : *at) {
      if (!item.is_number_integer()) fail(field, expected);
      value.push_back(item.get<std::int64_t>());
      if (value.back() < 1 || value.back() > kMaxChannels) fail(field, expected);
    }
  }

  void block_types(const std::string& field, const std::string& type, std::size_t count) const {
    const auto at = json_.find(field);
    if (at == json_.end()) return;
    const std::string expected = std::to_string(count) + " times \"" + type + "\", one for each of block_out_channels";
    if (!at->is_array() || at->size() != count) fail(field, expected);
    for (const Json& item : *at) {
      if (item != type) fail(field, expected);
    }
  }

 private:
  const Json& json_;
  const std::string& source_;
};

std::size_t halvings(std::int64_t ratio) {
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(ratio)) - 1);
}

}  // namespace

VaeConfig VaeConfig::from_json(std::string_view text, const std::string& source) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    throw VaeError(source + ": not JSON: " + error.what());
  }
  if (!json.is_object()) throw VaeError(source + ": expected a JSON object");
  const Reader reader(json, source);
  if (!json.contains("_class_name")) reader.fail("_class_name", "AutoencoderKLHunyuanVideo");
  reader.word("_class_name", {"AutoencoderKLHunyuanVideo"});
  reader.word("act_fn", {"silu", "swish"});

  VaeConfig config;
  std::int64_t pixels = 3;
  reader.integer("in_channels", pixels, 3, 3);
  reader.integer("out_channels", pixels, 3, 3);
  reader.integer("latent_channels", config.latent_channels, 1, kMaxChannels);
  reader.channels("block_out_channels", config.block_out_channels);
  const std::size_t blocks = config.block_out_channels.size();
  reader.block_types("down_block_types", "HunyuanVideoDownBlock3D", blocks);
  reader.block_types("up_block_types", "HunyuanVideoUpBlock3D", blocks);
  reader.integer("layers_per_block", config.layers_per_block, 1, 64);
  reader.integer("norm_num_groups", config.norm_num_groups, 1, kMaxChannels);
  for (const std::int64_t channels : config.block_out_channels) {
    if (channels % config.norm_num_groups != 0) {
      reader.fail("block_out_channels", "multiples of norm_num_groups = " + std::to_string(config.norm_num_groups));
    }
  }
  reader.positive("scaling_factor", config.scaling_factor);
  reader.integer("temporal_compression_ratio", config.temporal_compression_ratio, 4, 4);
  if (blocks < halvings(config.temporal_compression_ratio) + 1) {
    reader.fail("block_out_channels", "at least 3 blocks: the last one never halves time, the two before it do");
  }
  reader.integer("spatial_compression_ratio", config.spatial_compression_ratio, 1, 64);
  if (!std::has_single_bit(static_cast<std::uint64_t>(config.spatial_compression_ratio)) ||
      halvings(config.spatial_compression_ratio) > blocks) {
    reader.fail("spatial_compression_ratio",
                "a power of two that " + std::to_string(blocks) + " blocks can reach, one halving each");
  }
  reader.boolean("mid_block_add_attention", config.mid_block_add_attention);
  return config;
}

VaeConfig VaeConfig::load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  std::ifstream file(path);
  if (!file) throw VaeError(path.string() + ": cannot be opened; is this the vae folder of a bundle?");
  std::ostringstream text;
  text << file.rdbuf();
  return from_json(text.str(), path.string());
}

bool VaeConfig::resamples_space(std::size_t block) const {
  return block < halvings(spatial_compression_ratio);
}

bool VaeConfig::resamples_time(std::size_t block) const {
  const std::size_t blocks = block_out_channels.size();
  return block + 1 < blocks && block + 1 + halvings(temporal_compression_ratio) >= blocks;
}

}  // namespace reelfarm::vae
