#include "coordinator/http/byte_range.hpp"

#include <algorithm>
#include <charconv>

namespace reelfarm::http {
namespace {

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) return std::nullopt;
  const std::string_view before = header.substr(0, dash);
  const std::string_view after = header.substr(dash + 1);
  if (before.empty()) {
    const auto last = number(after);
    if (!last) return std::nullopt;
    const std::uint64_t count = std::min(*last, size);
    return ByteRange{size - count, count};
  }
  const auto first = number(before);
  if (!first) return std::nullopt;
  if (after.empty()) return *first < size ? ByteRange{*first, size - *first} : ByteRange{};
  const auto last = number(after);
  if (!last || *last < *first) return std::nullopt;
  return *first < size ? ByteRange{*first, std::min(*last, size - 1) - *first + 1} : ByteRange{};
}

}  // namespace reelfarm::http
