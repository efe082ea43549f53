#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights::detail {

/// Reads little-endian numbers and runs of bytes from the front of a span. Throws WeightError "WHAT: ..." at its end.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string what, std::uint64_t position = 0)
      : bytes_(bytes), what_(std::move(what)), position_(position) {
    if (position > bytes.size()) fail("byte " + std::to_string(position) + " is beyond its end");
  }

  template <typename Number>
  Number number() {
    static_assert(std::is_arithmetic_v<Number>);
    Number value;
    std::memcpy(&value, run(sizeof value).data(), sizeof value);
    return value;
  }

  std::span<const std::byte> run(std::uint64_t size) {
    if (size > remaining())
      fail("expected " + std::to_string(size) + " bytes at byte " + std::to_string(position_) + ", found " +
           std::to_string(remaining()) + ": truncated");
    const auto taken = bytes_.subspan(position_, size);
    position_ += size;
    return taken;
  }

  std::string_view text(std::uint64_t size) {
    const auto taken = run(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }
  const std::string& what() const { return what_; }

  [[noreturn]] void fail(const std::string& message) const { throw WeightError(what_ + ": " + message); }

 private:
  std::span<const std::byte> bytes_;
  std::string what_;
  std::uint64_t position_;
};

}  // namespace reelfarm::weights::detail
