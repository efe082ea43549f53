#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace reelfarm::video::detail {

enum class ImageKind { kPng, kJpeg, kWebp };

/// What the outside of an image file says, read without decoding a pixel.
struct ImageContainer {
  ImageKind kind = ImageKind::kPng;
  std::int64_t width = 0;  ///< 0 when the file ends before saying it
  std::int64_t height = 0;
  int orientation = 1;    ///< EXIF tag 0x0112, 1 to 8
  bool complete = false;  ///< the end marker is there, or all bytes that the header promises
};

/// Nothing when the bytes are no PNG, JPEG or WebP.
std::optional<ImageContainer> scan_image(std::span<const std::uint8_t> bytes);

/// What the bytes look like instead, for an error message: "a GIF file", "text beginning with 'hello'".
std::string guess_content(std::span<const std::uint8_t> bytes);

/// Orientation from a TIFF structure (EXIF 2.32, section 4.6.2); 1 when absent or out of range.
int exif_orientation(std::span<const std::uint8_t> tiff);

}  // namespace reelfarm::video::detail
