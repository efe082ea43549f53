#include "pipeline/weights/detail/torch_views.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {
namespace {

bool is_contiguous(const PickleTensor& tensor) {
  std::int64_t expected = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

/// One past the last element that the view touches; nothing when that does not fit in 63 bits.
std::optional<std::uint64_t> end_of(const PickleTensor& tensor) {
  auto end = static_cast<std::uint64_t>(tensor.offset);
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    std::uint64_t span = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(tensor.shape[i] - 1),
                               static_cast<std::uint64_t>(tensor.strides[i]), &span) ||
        __builtin_add_overflow(end, span, &end))
      return std::nullopt;
  }
  return end + 1 == 0 ? std::nullopt : std::optional(end + 1);
}

/// Copies the elements in row-major order. The view lies inside `storage` and is not empty.
void gather(const PickleTensor& tensor, std::span<const std::byte> storage, std::span<std::byte> out) {
  const std::size_t size = size_of(tensor.dtype);
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  auto at = static_cast<std::uint64_t>(tensor.offset);
  for (std::uint64_t written = 0; written < out.size(); written += size) {
    std::memcpy(out.data() + written, storage.data() + at * size, size);
    for (std::size_t i = index.size(); i-- > 0;) {
      at += static_cast<std::uint64_t>(tensor.strides[i]);
      if (++index[i] < tensor.shape[i]) break;
      at -= static_cast<std::uint64_t>(tensor.shape[i]) * static_cast<std::uint64_t>(tensor.strides[i]);
      index[i] = 0;
    }
  }
}

}  // namespace

TensorInfo view_of(const PickleTensor& tensor, std::span<const std::byte> storage, const std::string& at) {
  const std::uint64_t size = size_of(tensor.dtype);
  const std::uint64_t width = tensor.storage.untyped ? 1 : size;
  if (storage.size() % width != 0 || storage.size() / width != static_cast<std::uint64_t>(tensor.storage.count))
    throw WeightError(at + ": " + std::to_string(tensor.storage.count) + " elements of " + std::to_string(width) +
                      " bytes expected in data/" + shown(tensor.storage.key) + ", found " +
                      std::to_string(storage.size()) + " bytes");
  const auto bytes = bytes_of(tensor.shape, size);
  if (!bytes || *bytes > storage.size())
    throw WeightError(at + ": shape " + shown(nlohmann::json(tensor.shape)) + " has more elements than the " +
                      std::to_string(storage.size() / size) +
                      " of its storage (an expanded tensor? save a contiguous copy)");
  TensorInfo info{"", tensor.dtype, tensor.shape, {}, ""};
  if (*bytes == 0) return info;
  const auto end = end_of(tensor);
  if (!end || *end > storage.size() / size)
    throw WeightError(at + ": shape " + shown(nlohmann::json(tensor.shape)) + " with strides " +
                      shown(nlohmann::json(tensor.strides)) + " and offset " + std::to_string(tensor.offset) +
                      " leaves its storage of " + std::to_string(storage.size() / size) + " elements");
  if (is_contiguous(tensor))
    info.bytes = storage.subspan(static_cast<std::uint64_t>(tensor.offset) * size, *bytes);
  else
    info.decode = [tensor, storage](std::span<const std::byte>, std::span<std::byte> out) {
      gather(tensor, storage, out);
    };
  return info;
}

}  // namespace reelfarm::weights::detail
