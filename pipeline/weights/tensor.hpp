#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/weights/dtype.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights {

/// One tensor: row-major, little-endian. `bytes` lies in the mapped file and need not be aligned to the element.
struct TensorInfo {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< the tensor, or what `decode` makes it of
  std::string file;                  ///< path of the file that holds it, for messages

  /// Set for a tensor that the file does not hold as it is (strided, turned, quantised): makes the bytes of whole rows
  /// of those that are stored for them. Where `bytes` is empty it knows what it reads, and makes all rows. May be
  /// called from several threads; what it reads lives as long as the source.
  std::function<void(std::span<const std::byte> stored, std::span<std::byte> out)> decode = nullptr;
  std::uint32_t block_bytes = 1;  ///< stored bytes that `decode` takes together

  std::uint64_t element_count() const;
  std::uint64_t byte_count() const { return element_count() * size_of(dtype); }
};

/// elements * size, or nothing when the product does not fit in 63 bits. Extents are not negative.
std::optional<std::uint64_t> bytes_of(const std::vector<std::int64_t>& shape, std::size_t element_size);

/// A tensor's bytes: those of the mapped file, or memory of their own.
struct TensorBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const std::byte[]> owned;  ///< null for mapped bytes
};

/// Mapped bytes as they are; others are made, in memory of the tensor's size.
TensorBytes read(const TensorInfo& tensor);

/// Starts to read the tensor's pages from the disk and returns before they are there. Worth a call for the tensor after
/// the one that is being copied: page faults alone wait for the disk each time.
void prefetch(const TensorInfo& tensor);

/// Takes the tensor's pages out of this process. They are read again when they are touched again. Worth a call for a
/// tensor that was read once: mapped pages count as this process's memory for as long as there is enough of it.
void release(const TensorInfo& tensor);

}  // namespace reelfarm::weights
