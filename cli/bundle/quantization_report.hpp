#pragma once

#include <filesystem>
#include <string>

#include "pipeline/weights/quantize.hpp"

namespace reelfarm::bundle {

/// For people: what was quantised, how large it is now, and the largest error.
std::string description(const weights::Quantization& quantization);

/// Bytes of each transformer of a bundle in every form, from its configuration alone.
std::string size_table(const std::filesystem::path& bundle);

}  // namespace reelfarm::bundle
