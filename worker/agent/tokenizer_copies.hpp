#pragma once

#include <filesystem>

#include "queue/bundle_limits.hpp"
#include "queue/data_folder.hpp"

namespace reelfarm::worker {

/// Copies the tokenizers of a bundle into DATA, so that a coordinator without weights can count a prompt's tokens
/// before it accepts a job. Each folder appears whole or not at all. Throws std::filesystem::filesystem_error.
void copy_tokenizers(const std::filesystem::path& bundle, const queue::BundleLimits& limits,
                     const queue::DataFolder& data);

}  // namespace reelfarm::worker
