#pragma once

#include <filesystem>

#include "pipeline/video/errors.hpp"
#include "pipeline/video/image.hpp"

namespace reelfarm::video {

/// Writes an 8-bit RGB PNG, the same bytes for the same image. Throws VideoError or artifacts::StorageError.
void write_png(const Image& image, const std::filesystem::path& path);

}  // namespace reelfarm::video
