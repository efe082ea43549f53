#include "pipeline/weights/quantize.hpp"

#include <algorithm>

#include "pipeline/weights/bundle_hash.hpp"
#include "pipeline/weights/detail/bundle_recipe.hpp"
#include "pipeline/weights/detail/bundle_writer.hpp"
#include "pipeline/weights/detail/eight_bit.hpp"
#include "pipeline/weights/detail/expected_tensors.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/detail/weight_kind.hpp"
#include "pipeline/weights/detail/widen.hpp"
#include "pipeline/weights/verify.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kManifest = "quantization.json";

using Kind = detail::WeightKind;
using detail::kind_of;

bool becomes_eight_bit(Kind kind, const EightBitForm& form) {
  return kind == Kind::product || (kind == Kind::modulation && form.modulation);
}

std::string format_name(DType dtype) {
  return dtype == DType::i8 ? "int8" : "fp8";
}

/// A layer whose error is known when it has been written.
struct Written {
  std::string part;
  TensorInfo weight;
  std::shared_ptr<const double> error;
};

std::vector<TensorInfo> in_eight_bits(const std::string& part, const std::vector<TensorInfo>& tensors,
                                      const EightBitForm& form, std::vector<Written>& layers) {
  std::vector<TensorInfo> made;
  for (const TensorInfo& tensor : tensors) {
    if (!becomes_eight_bit(kind_of(tensor.name, tensor.shape.size()), form)) {
      made.push_back(tensor);
      continue;
    }
    if (!detail::can_widen(tensor.dtype) || tensor.element_count() == 0)
      throw WeightError("weights: " + tensor.file + ": tensor \"" + tensor.name + "\" of type " +
                        std::string(name_of(tensor.dtype)) + " cannot be quantised");
    detail::EightBitRows rows = detail::eight_bit_rows(tensor, form.dtype);
    made.push_back(std::move(rows.values));
    made.push_back(std::move(rows.scales));
    layers.push_back({part, tensor, std::move(rows.error)});
  }
  return made;
}

json manifest_json(const Quantization& quantization) {
  json layers = json::array();
  for (const Quantization::Layer& layer : quantization.layers)
    layers.push_back({{"part", layer.part}, {"name", layer.name}, {"shape", layer.shape}, {"error", layer.error}});
  return {{"schema", 1},
          {"format", quantization.format},
          {"modulation", quantization.modulation},
          {"source", {{"name", quantization.source_name}, {"hash", quantization.source_hash}}},
          {"bytes_before", quantization.bytes_before},
          {"bytes_after", quantization.bytes_after},
          {"layers", layers}};
}

}  // namespace

const Quantization::Layer& Quantization::worst() const {
  return *std::ranges::max_element(layers, {}, &Layer::error);
}

Quantization quantize(const QuantizeRequest& request) {
  const Bundle source = Bundle::open(request.source);
  source.require_complete();
  ConvertRequest writing;
  writing.source = request.source;
  writing.target = request.target;
  writing.name = request.name;
  writing.shard_bytes = request.shard_bytes;
  writing.on_part = request.on_part;
  detail::BundleRecipe recipe = detail::plan_bundle(writing);

  Quantization made;
  made.format = format_name(request.form.dtype);
  made.modulation = request.form.modulation;
  made.source_name = source.manifest().name;
  std::vector<Written> layers;
  for (auto& [name, part] : recipe.parts) {
    if (!name.starts_with("transformer") || part.source == nullptr) continue;
    if (const auto wrong = wrong_tensors(source, name); !wrong.empty())
      throw WeightError("weights: " + name + ": " + wrong.front());
    made.bytes_before += detail::bytes_in(part.tensors());
    part.change = [&request, &layers, component = name](const std::vector<TensorInfo>& tensors) {
      return in_eight_bits(component, tensors, request.form, layers);
    };
  }
  detail::write_bundle(recipe, writing, [&](const fs::path& folder) {
    // Last: what is wrong with the source is seen before the hash of all of it is taken.
    made.source_hash = bundle_hash(source, request.cache);
    for (const Written& layer : layers)
      made.layers.push_back({layer.part, layer.weight.name, layer.weight.shape, *layer.error});
    if (made.layers.empty())
      throw WeightError("weights: " + request.source.string() + ": its transformer has no blocks to quantise");
    const Bundle written = Bundle::open(folder);
    for (const auto& [name, part] : recipe.parts)
      if (part.change)
        for (const fs::path& file : written.tensors(name)->files()) made.bytes_after += fs::file_size(file);
    detail::write_json(folder / kManifest, manifest_json(made));
  });
  return made;
}

std::optional<Quantization> quantization_of(const fs::path& bundle) {
  std::error_code ignored;
  if (!fs::exists(bundle / kManifest, ignored)) return std::nullopt;
  const json stored = detail::read_strict_json(bundle / kManifest);
  Quantization read;
  try {
    read.format = stored.at("format").get<std::string>();
    read.modulation = stored.at("modulation").get<bool>();
    read.source_name = stored.at("source").at("name").get<std::string>();
    read.source_hash = stored.at("source").at("hash").get<std::string>();
    read.bytes_before = stored.at("bytes_before").get<std::uint64_t>();
    read.bytes_after = stored.at("bytes_after").get<std::uint64_t>();
    for (const json& layer : stored.at("layers"))
      read.layers.push_back({layer.at("part").get<std::string>(), layer.at("name").get<std::string>(),
                             layer.at("shape").get<std::vector<std::int64_t>>(), layer.at("error").get<double>()});
  } catch (const json::exception& error) {
    throw WeightError("weights: " + (bundle / kManifest).string() + ": " + error.what());
  }
  if (read.layers.empty()) throw WeightError("weights: " + (bundle / kManifest).string() + ": it names no layers");
  return read;
}

TransformerBytes transformer_bytes(const Config& config, const std::optional<EightBitForm>& form) {
  constexpr std::uint64_t kBf16 = 2, kScale = 4;
  TransformerBytes bytes;
  const detail::ExpectedTensors expected = detail::expected_transformer(config);
  for (const auto& [name, shape] : expected.shapes()) {
    std::uint64_t elements = 1;
    for (const std::int64_t extent : shape) elements *= static_cast<std::uint64_t>(extent);
    const Kind kind = kind_of(name, shape.size());
    const bool small = form && becomes_eight_bit(kind, *form);
    const std::uint64_t stored = small ? elements + kScale * static_cast<std::uint64_t>(shape[0]) : kBf16 * elements;
    (kind == Kind::product ? bytes.products : kind == Kind::modulation ? bytes.modulation : bytes.rest) += stored;
  }
  return bytes;
}

}  // namespace reelfarm::weights
