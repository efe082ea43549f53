#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/weights/verify.hpp"
#include "pipeline/weights/weight_form.hpp"

namespace reelfarm::weights {

/// What weights are that are no bundle: one file, or a folder with one part.
struct PublishedReport {
  WeightForm form;
  std::string variant;  ///< of a whole transformer
  std::string layers;   ///< of a whole transformer
  std::uint64_t parameters = 0, tensors = 0, bytes = 0;
  std::vector<std::string> dtypes;  ///< names, sorted; those of weights with scales are what they become
  std::string needs;                ///< what is missing for a bundle, and the command that makes one
};

/// Reads names and shapes. Throws WeightError for weights of another model, and for ones that do not fit together.
PublishedReport inspect_published(const std::filesystem::path& file_or_folder);

/// Reads every value and every check sum.
Verification verify_published(const std::filesystem::path& file_or_folder);

}  // namespace reelfarm::weights
