#include "pipeline/nn/host_memory.hpp"

#include <cstdlib>
#include <limits>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace reelfarm::nn {

void keep_host_memory() {
  // LibTorch's CPU allocator reads this at its first allocation.
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
#if defined(__GLIBC__)
  constexpr int kNever = std::numeric_limits<int>::max();
  mallopt(M_MMAP_THRESHOLD, kNever);
  mallopt(M_TRIM_THRESHOLD, kNever);
  // One arena: those of further threads are limited to 64 MB, beyond which they map and unmap again.
  mallopt(M_ARENA_MAX, 1);
#endif
}

}  // namespace reelfarm::nn
