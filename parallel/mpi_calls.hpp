#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <span>

namespace reelfarm::parallel {

/// MPI counts are ints: calls act(pointer, count) on the pieces of what may be larger, in order.
template <typename Act>
void for_pieces(std::span<std::byte> bytes, const Act& act) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    act(bytes.data() + begin, static_cast<int>(std::min(kPiece, bytes.size() - begin)));
  }
}

/// Held around every MPI call: MPI_THREAD_SERIALIZED allows several threads, one at a time. No call made under it
/// waits for another rank, but for those that set up and end a session.
std::unique_lock<std::mutex> one_mpi_call();

/// Throws MpiError with MPI's own words unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace reelfarm::parallel
