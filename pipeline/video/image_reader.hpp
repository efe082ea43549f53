#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "pipeline/video/errors.hpp"
#include "pipeline/video/image.hpp"

namespace reelfarm::video {

inline constexpr int kMinImageSide = 16;
inline constexpr std::int64_t kMaxImagePixels = 100'000'000;
inline constexpr std::uint64_t kMaxImageBytes = std::uint64_t{256} << 20;

/// Reads a PNG, JPEG or WebP: 8 or 16 bit, grey, palette or colour, upright by its EXIF orientation, on white where it
/// is transparent (as viewers show it). Colour profiles are not applied: values are taken as sRGB.
/// Throws BadMedia when it is no such image, truncated, damaged, under 16 pixels a side or over 100 megapixels (found
/// before decoding); artifacts::StorageError when the file cannot be read.
Image read_image(const std::filesystem::path& path);

/// The same from memory; `name` is for messages.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace reelfarm::video
