#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

using NamedTensors = std::map<std::string, TensorInfo, std::less<>>;

/// Takes out the scales that ComfyUI's files keep beside 8-bit weights (X.scale_weight or X.weight_scale for X.weight;
/// scales of activations and markers are dropped), and makes those weights bf16: value times scale, rounded once.
/// Returns whether there were any. Throws WeightError, opened by `what`, for a scale without a weight, of a shape that
/// is neither one number nor one a row, and for a quantisation of another kind.
bool apply_comfy_scales(NamedTensors& tensors, const std::string& what);

/// The same with the scales of Tencent's map file, one number for each layer's name. Every fp8 weight must have one,
/// and every one a weight.
void apply_scale_map(NamedTensors& tensors, const std::vector<TensorInfo>& map, const std::string& what);

/// Whether these are the scales of a map file: one number each, and no weights.
bool is_scale_map(const std::vector<TensorInfo>& tensors);

}  // namespace reelfarm::weights::detail
