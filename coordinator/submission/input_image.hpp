#pragma once

#include <string>

#include "queue/data_folder.hpp"
#include "queue/job.hpp"

namespace reelfarm::coordinator {

/// Looks at the file with reelfarm-image and hashes it. Throws BadInput: missing, not an image, damaged, too small or
/// too large.
queue::ImageInput inspect_image(const std::string& path);

/// Copies the file to DATA/inputs/<sha256>, unless it is there. Throws BadInput when the file has changed since it was
/// inspected, artifacts::StorageError.
void store_input(const queue::DataFolder& data, const std::string& path, const queue::ImageInput& image);

}  // namespace reelfarm::coordinator
