#pragma once

#include <filesystem>
#include <functional>

#include "pipeline/weights/detail/bundle_recipe.hpp"

namespace reelfarm::weights::detail {

/// Bytes of tensors as they are read.
std::uint64_t bytes_in(const std::vector<TensorInfo>& tensors);

/// Throws WeightError.
void write_json(const std::filesystem::path& file, const nlohmann::json& value);

/// Writes a bundle by its recipe, tensor by tensor, under a temporary name beside request.target, and renames it when
/// all of it is on the disk and fits its configuration. `last` may add files to the folder before that. Throws
/// WeightError; a failure leaves nothing under either name.
void write_bundle(const BundleRecipe& recipe, const ConvertRequest& request,
                  const std::function<void(const std::filesystem::path& folder)>& last = {});

}  // namespace reelfarm::weights::detail
