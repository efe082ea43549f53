#pragma once

#include <cstdint>
#include <string>

namespace reelfarm::weights::testing {

/// Little-endian numbers behind each other.
class RawBytes {
 public:
  RawBytes& u16(std::uint64_t value) { return put(value, 2); }
  RawBytes& u32(std::uint64_t value) { return put(value, 4); }
  RawBytes& u64(std::uint64_t value) { return put(value, 8); }
  RawBytes& text(const std::string& value) {
    bytes.append(value);
    return *this;
  }

  std::string bytes;

 private:
  RawBytes& put(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
};

}  // namespace reelfarm::weights::testing
