#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace reelfarm::artifacts {

/// A running SHA-256 (libcrypto); results are 64 lower-case hexadecimal digits.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::uint8_t> bytes);
  void update(std::string_view bytes);
  /// The digest of everything so far; the object starts again from nothing.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_of(std::string_view bytes);
/// Reads the file in pieces; throws StorageError.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace reelfarm::artifacts
