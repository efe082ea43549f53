#pragma once

#include <string>
#include <vector>

#include "pipeline/weights/tensor.hpp"
#include "pipeline/weights/weight_form.hpp"

namespace reelfarm::weights::detail {

/// Tensors under the names of diffusers, and what they were published as.
struct Published {
  WeightForm form;
  std::vector<TensorInfo> tensors;
};

/// What is known beside the tensors themselves.
struct PublishedFile {
  std::string what;                          ///< opens the messages
  const std::vector<TensorInfo>* scale_map;  ///< Tencent's, or null
  bool wants_scales;                         ///< fp8 weights without scales are an error (Tencent's .pt)
  bool overlays;                             ///< an incomplete transformer is taken
};

/// Recognises the form by the names and puts the tensors under those of diffusers. No data is read but scales. Throws
/// WeightError that says which form was assumed and lists the first ten names that are unknown, missing or doubled.
Published from_published(const std::vector<const TensorInfo*>& stored, const PublishedFile& file);

/// A name without the wrappers that published files put before it.
std::string unwrapped(const std::string& name);

}  // namespace reelfarm::weights::detail
