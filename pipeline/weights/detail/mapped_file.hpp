#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace reelfarm::weights::detail {

/// A regular file mapped read-only; unmapped by the destructor.
class MappedFile {
 public:
  /// Throws WeightError with the system's reason.
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace reelfarm::weights::detail
