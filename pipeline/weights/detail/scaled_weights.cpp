#include "pipeline/weights/detail/scaled_weights.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/float_bits.hpp"
#include "pipeline/weights/detail/name_list.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/detail/widen.hpp"

namespace reelfarm::weights::detail {
namespace {

bool is_fp8(DType dtype) {
  return dtype == DType::f8_e4m3 || dtype == DType::f8_e5m2;
}

bool is_eight_bit(DType dtype) {
  return is_fp8(dtype) || dtype == DType::i8;
}

void multiply(const std::array<float, 256>& values, float scale, std::span<const std::byte> stored,
              std::span<std::byte> out) {
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::uint16_t bits = to_bf16(values[std::to_integer<std::size_t>(stored[i])] * scale);
    std::memcpy(out.data() + 2 * i, &bits, sizeof bits);
  }
}

TensorInfo scaled(const TensorInfo& weight, const std::vector<float>& scales, const std::string& what) {
  const std::size_t rows = weight.shape.empty() ? 1 : static_cast<std::size_t>(weight.shape[0]);
  if (scales.size() != 1 && scales.size() != rows)
    throw WeightError(what + ": " + std::to_string(scales.size()) + " scales for shape " +
                      shown(nlohmann::json(weight.shape)) + ", expected one, or one a row");
  TensorInfo made = weight;
  made.dtype = DType::bf16;
  const std::array<float, 256>& values = values_of_bytes(weight.dtype);
  if (scales.size() == 1) {
    made.decode = [&values, scale = scales[0]](std::span<const std::byte> stored, std::span<std::byte> out) {
      multiply(values, scale, stored, out);
    };
    return made;
  }
  // Which rows are asked for is not known to a decoder of rows: it makes all of them.
  made.bytes = {};
  made.decode = [&values, scales, weight](std::span<const std::byte>, std::span<std::byte> out) {
    const std::size_t row = weight.bytes.size() / scales.size();
    for (std::size_t i = 0; i < scales.size(); ++i)
      multiply(values, scales[i], weight.bytes.subspan(i * row, row), out.subspan(2 * i * row, 2 * row));
  };
  return made;
}

/// {"format": "float8_e4m3fn", ...} as bytes.
void check_comfy_format(const TensorInfo& marker, const std::string& what) {
  const TensorBytes stored = read(marker);
  const auto json = parse_strict_json({reinterpret_cast<const char*>(stored.bytes.data()), stored.bytes.size()},
                                      what + ": comfy_quant");
  const std::string format = json.is_object() && json.contains("format") ? shown(json["format"]) : shown(json);
  if (format != "\"float8_e4m3fn\"" && format != "\"float8_e5m2\"")
    throw WeightError(what + ": quantised as " + format + ", this version reads float8_e4m3fn and float8_e5m2");
}

std::string without(const std::string& name, std::string_view ending) {
  return name.substr(0, name.size() - ending.size());
}

}  // namespace

bool apply_comfy_scales(NamedTensors& tensors, const std::string& what) {
  std::map<std::string, TensorInfo> scales;  // by the layer's name
  bool any = tensors.erase("scaled_fp8") > 0;
  for (auto it = tensors.begin(); it != tensors.end();) {
    const std::string& name = it->first;
    const std::string at = what + ": tensor " + shown(name);
    std::string_view ending;
    for (const char* known : {".scale_weight", ".weight_scale", ".scale_input", ".input_scale", ".comfy_quant"})
      if (name.ends_with(known)) ending = known;
    if (ending.empty()) {
      ++it;
      continue;
    }
    if (ending == ".comfy_quant") check_comfy_format(it->second, at);
    if (ending == ".scale_weight" || ending == ".weight_scale") scales.emplace(without(name, ending), it->second);
    any = true;
    it = tensors.erase(it);
  }
  for (const auto& [layer, scale] : scales) {
    const auto weight = tensors.find(layer + ".weight");
    const std::string at = what + ": scale of " + shown(layer);
    if (weight == tensors.end()) throw WeightError(at + ": there is no such weight");
    // Files of this form give layers that stayed in 16 bits a scale of one, too.
    const std::vector<float> values = floats(scale, at);
    if (is_eight_bit(weight->second.dtype) && !weight->second.decode) {
      weight->second = scaled(weight->second, values, at);
    } else if (std::ranges::any_of(values, [](float value) { return value != 1.0F; })) {
      throw WeightError(at + ": for a weight of type " + std::string(name_of(weight->second.dtype)) +
                        ", expected F8_E4M3, F8_E5M2 or I8");
    }
  }
  return any;
}

void apply_scale_map(NamedTensors& tensors, const std::vector<TensorInfo>& map, const std::string& what) {
  std::map<std::string, const TensorInfo*, std::less<>> scales;
  for (const TensorInfo& scale : map) {
    std::string_view layer = scale.name;
    if (layer.starts_with("module.")) layer.remove_prefix(7);
    scales.emplace(layer, &scale);
  }
  NameList unscaled;
  for (auto& [name, tensor] : tensors) {
    if (!is_fp8(tensor.dtype)) continue;
    const auto scale = scales.find(name.ends_with(".weight") ? without(name, ".weight") : name);
    if (scale == scales.end()) {
      unscaled.add(name);
      continue;
    }
    tensor = scaled(tensor, floats(*scale->second, what + ": scale of " + shown(name)), what + ": " + shown(name));
    scales.erase(scale);
  }
  NameList unused;
  // A layer that is kept in 16 bits may have one.
  for (const auto& [layer, scale] : scales)
    if (!tensors.contains(layer + ".weight")) unused.add(layer);
  if (!unscaled.empty()) throw WeightError(what + ": fp8 weights without a scale in the map: " + unscaled.text());
  if (!unused.empty()) throw WeightError(what + ": scales of layers that there are not: " + unused.text());
}

bool is_scale_map(const std::vector<TensorInfo>& tensors) {
  return !tensors.empty() && std::ranges::all_of(tensors, [](const TensorInfo& tensor) {
    return tensor.element_count() == 1 && !tensor.name.ends_with(".weight") && !tensor.name.ends_with(".bias");
  });
}

}  // namespace reelfarm::weights::detail
