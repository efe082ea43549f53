#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/dtype.hpp"
#include "pipeline/weights/errors.hpp"
#include "posix/descriptor.hpp"

namespace reelfarm::weights {

/// Writes a safetensors file as a stream: declare all tensors, append their bytes in any order, finish.
///
/// The data goes to a temporary file beside the target; finish() syncs it and renames it over the target, so that the
/// target is either absent, the old file, or the whole new one.
class SafetensorsWriter {
 public:
  struct Declaration {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
  };

  /// Writes the header. Throws WeightError for a doubled name, a negative extent or a failing file system.
  SafetensorsWriter(std::filesystem::path target, const std::vector<Declaration>& tensors,
                    const std::map<std::string, std::string>& metadata = {});

  /// Removes the temporary file when finish() did not run to its end.
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  /// Appends bytes (row-major, little-endian) to one tensor. Throws WeightError beyond the tensor's declared size.
  void append(std::string_view name, std::span<const std::byte> bytes);

  /// Syncs and publishes the file. Throws WeightError naming the first tensor that is not complete.
  void finish();

 private:
  struct Slot {
    std::uint64_t begin;
    std::uint64_t size;
    std::uint64_t written;
  };

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  [[noreturn]] void fail(const std::string& what, int error) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  posix::Descriptor file_;
  std::map<std::string, Slot, std::less<>> slots_;
};

}  // namespace reelfarm::weights
