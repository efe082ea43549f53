#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace reelfarm::http {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// What a Range header asks of a file of `size` bytes (RFC 9110, 14.1.2), one range only. Nothing for a header to be
/// ignored: several ranges, another unit, nonsense. A range of no bytes is one that the file does not have: 416.
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

}  // namespace reelfarm::http
