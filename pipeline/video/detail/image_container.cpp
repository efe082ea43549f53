#include "pipeline/video/detail/image_container.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace reelfarm::video::detail {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool has_at(Bytes bytes, std::size_t offset, std::string_view text) {
  return offset <= bytes.size() && bytes.size() - offset >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

std::uint32_t big(Bytes bytes, std::size_t offset, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[offset + static_cast<std::size_t>(i)];
  return value;
}

std::uint32_t little(Bytes bytes, std::size_t offset, int count) {
  std::uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | bytes[offset + static_cast<std::size_t>(i)];
  return value;
}

// PNG: 8 bytes of signature, then chunks of length, type, data, CRC.
ImageContainer scan_png(Bytes bytes) {
  ImageContainer found{.kind = ImageKind::kPng};
  std::size_t offset = 8;
  while (offset + 12 <= bytes.size()) {
    const std::size_t length = big(bytes, offset, 4);
    if (length > bytes.size() - offset - 12) break;
    if (has_at(bytes, offset + 4, "IHDR") && length >= 8) {
      found.width = big(bytes, offset + 8, 4);
      found.height = big(bytes, offset + 12, 4);
    } else if (has_at(bytes, offset + 4, "eXIf")) {
      found.orientation = exif_orientation(bytes.subspan(offset + 8, length));
    } else if (has_at(bytes, offset + 4, "IEND")) {
      found.complete = true;
      break;
    }
    offset += length + 12;
  }
  return found;
}

bool is_start_of_frame(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// JPEG: marker segments up to the first scan; the end marker must come after it (a thumbnail in APP1 has one too).
ImageContainer scan_jpeg(Bytes bytes) {
  constexpr std::uint8_t kStartOfScan = 0xDA;
  constexpr std::uint8_t kApp1 = 0xE1;
  constexpr std::string_view kExif("Exif\0\0", 6);
  ImageContainer found{.kind = ImageKind::kJpeg};
  std::size_t offset = 2;
  while (offset + 4 <= bytes.size() && bytes[offset] == 0xFF) {
    const std::uint8_t marker = bytes[offset + 1];
    if (marker == 0xFF) {  // Fill byte.
      ++offset;
      continue;
    }
    if (marker == kStartOfScan) {
      constexpr std::array<std::uint8_t, 2> kEndOfImage{0xFF, 0xD9};
      const Bytes rest = bytes.subspan(offset);
      found.complete = std::search(rest.begin(), rest.end(), kEndOfImage.begin(), kEndOfImage.end()) != rest.end();
      break;
    }
    const std::size_t length = big(bytes, offset + 2, 2);
    if (length < 2 || length > bytes.size() - offset - 2) break;
    const Bytes segment = bytes.subspan(offset + 4, length - 2);
    if (is_start_of_frame(marker) && segment.size() >= 5) {
      found.height = big(segment, 1, 2);
      found.width = big(segment, 3, 2);
    } else if (marker == kApp1 && has_at(segment, 0, kExif)) {
      found.orientation = exif_orientation(segment.subspan(kExif.size()));
    }
    offset += 2 + length;
  }
  return found;
}

// WebP: RIFF header with the size of the rest, then chunks of type, length, data padded to an even length.
ImageContainer scan_webp(Bytes bytes) {
  ImageContainer found{.kind = ImageKind::kWebp};
  const std::size_t promised = std::size_t{little(bytes, 4, 4)} + 8;
  // The last padding byte is often left out.
  found.complete = bytes.size() + 1 >= promised;
  std::size_t offset = 12;
  while (offset + 8 <= bytes.size()) {
    const std::size_t length = little(bytes, offset + 4, 4);
    const Bytes chunk = bytes.subspan(offset + 8, std::min(length, bytes.size() - offset - 8));
    if (has_at(bytes, offset, "VP8X") && chunk.size() >= 10) {
      found.width = little(chunk, 4, 3) + 1;
      found.height = little(chunk, 7, 3) + 1;
    } else if (has_at(bytes, offset, "VP8L") && chunk.size() >= 5 && found.width == 0) {
      const std::uint32_t sizes = little(chunk, 1, 4);
      found.width = (sizes & 0x3FFF) + 1;
      found.height = (sizes >> 14 & 0x3FFF) + 1;
    } else if (has_at(bytes, offset, "VP8 ") && chunk.size() >= 10 && found.width == 0) {
      found.width = little(chunk, 6, 2) & 0x3FFF;
      found.height = little(chunk, 8, 2) & 0x3FFF;
    } else if (has_at(bytes, offset, "EXIF")) {
      // Some writers keep JPEG's prefix.
      constexpr std::string_view kExif("Exif\0\0", 6);
      found.orientation = exif_orientation(has_at(chunk, 0, kExif) ? chunk.subspan(kExif.size()) : chunk);
    }
    if (length > bytes.size() - offset - 8) break;
    offset += 8 + length + (length & 1);
  }
  return found;
}

}  // namespace

int exif_orientation(Bytes tiff) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  const bool little_endian = has_at(tiff, 0, "II");
  if (tiff.size() < 8 || (!little_endian && !has_at(tiff, 0, "MM"))) return 1;
  const auto number = [&](std::size_t offset, int count) {
    return little_endian ? little(tiff, offset, count) : big(tiff, offset, count);
  };
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t entry = 0; entry < entries; ++entry) {
    const std::size_t offset = directory + 2 + 12 * entry;
    if (offset + 12 > tiff.size()) break;
    if (number(offset, 2) == kOrientationTag) {
      const std::uint32_t value = number(offset + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

std::optional<ImageContainer> scan_image(Bytes bytes) {
  if (has_at(bytes, 0, "\x89PNG\r\n\x1a\n")) return scan_png(bytes);
  if (has_at(bytes, 0, "\xFF\xD8\xFF")) return scan_jpeg(bytes);
  if (has_at(bytes, 0, "RIFF") && has_at(bytes, 8, "WEBP")) return scan_webp(bytes);
  return std::nullopt;
}

std::string guess_content(Bytes bytes) {
  if (bytes.empty()) return "an empty file";
  if (has_at(bytes, 0, "GIF8")) return "a GIF file";
  if (has_at(bytes, 0, "BM")) return "a BMP file";
  if (has_at(bytes, 0, "%PDF")) return "a PDF file";
  if (has_at(bytes, 0, "8BPS")) return "a Photoshop file";
  if (has_at(bytes, 0, std::string_view("II*\0", 4)) || has_at(bytes, 0, std::string_view("MM\0*", 4))) {
    return "a TIFF or raw camera file";
  }
  if (has_at(bytes, 4, "ftypavif")) return "an AVIF file";
  if (has_at(bytes, 4, "ftyphei") || has_at(bytes, 4, "ftypmif1")) return "a HEIC file";
  if (has_at(bytes, 4, "ftyp")) return "an MP4 or MOV video";
  constexpr std::size_t kShown = 24;
  const Bytes start = bytes.first(std::min(bytes.size(), kShown));
  if (std::all_of(start.begin(), start.end(), [](std::uint8_t c) { return std::isprint(c) || std::isspace(c); })) {
    std::string text(start.begin(), start.end());
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return std::isspace(c); }, ' ');
    return "text beginning with '" + text + "'";
  }
  return "something else";
}

}  // namespace reelfarm::video::detail
