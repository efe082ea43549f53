#include "pipeline/weights/tensor.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <limits>

namespace reelfarm::weights {

std::uint64_t TensorInfo::element_count() const {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

std::optional<std::uint64_t> bytes_of(const std::vector<std::int64_t>& shape, std::size_t element_size) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = element_size;
  for (const std::int64_t extent : shape)
    if (extent == 0) return 0;
  for (const std::int64_t extent : shape) {
    if (static_cast<std::uint64_t>(extent) > kMax / bytes) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(extent);
  }
  return bytes;
}

TensorBytes read(const TensorInfo& tensor) {
  if (!tensor.decode) return {tensor.bytes, nullptr};
  const std::uint64_t size = tensor.byte_count();
  const std::shared_ptr<std::byte[]> memory(new std::byte[size]);
  tensor.decode(tensor.bytes, {memory.get(), size});
  return {{memory.get(), size}, memory};
}

namespace {

/// The whole pages around the tensor's bytes. A mapping begins with a whole page.
void advise(const TensorInfo& tensor, int advice) {
  if (tensor.bytes.empty()) return;
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t before = reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % page;
  auto* begin = const_cast<std::byte*>(tensor.bytes.data()) - before;
  // A hint: where the kernel does not take it, nothing but time or memory is lost.
  ::madvise(begin, tensor.bytes.size() + before, advice);
}

}  // namespace

void prefetch(const TensorInfo& tensor) {
  advise(tensor, MADV_WILLNEED);
}

void release(const TensorInfo& tensor) {
  advise(tensor, MADV_DONTNEED);
}

}  // namespace reelfarm::weights
