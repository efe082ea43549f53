#include "parallel/mpi_transfer.hpp"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <mutex>

#include "parallel/errors.hpp"
#include "parallel/mpi_calls.hpp"

namespace reelfarm::parallel {
namespace {

std::span<std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

/// MPI may still write to tensors of an exchange that was given up, and cannot be told not to.
void keep_for_ever(std::vector<at::Tensor> tensors) {
  static std::mutex mutex;
  static auto* kept = new std::vector<at::Tensor>;
  const std::lock_guard lock(mutex);
  kept->insert(kept->end(), tensors.begin(), tensors.end());
}

}  // namespace

MpiTransfer::~MpiTransfer() {
  if (!requests_.empty()) keep_for_ever(std::move(tensors_));
}

void MpiTransfer::send(MPI_Comm comm, const Send& message) {
  tensors_.push_back(message.tensor);
  for_pieces(bytes_of(message.tensor), [&](const std::byte* bytes, int count) {
    const auto lock = one_mpi_call();
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(bytes, count, MPI_BYTE, message.to, 0, comm, &request), "MPI_Isend");
    add(request);
  });
}

void MpiTransfer::receive(MPI_Comm comm, const Receive& message) {
  tensors_.push_back(message.tensor);
  for_pieces(bytes_of(message.tensor), [&](std::byte* bytes, int count) {
    const auto lock = one_mpi_call();
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(bytes, count, MPI_BYTE, message.from, 0, comm, &request), "MPI_Irecv");
    add(request, {message.from, static_cast<std::size_t>(count)});
  });
}

void MpiTransfer::add(MPI_Request request, const Expected& expected) {
  requests_.push_back(request);
  expected_.push_back(expected);
}

bool MpiTransfer::done() {
  if (requests_.empty()) return true;
  std::vector<MPI_Status> statuses(requests_.size());
  const auto lock = one_mpi_call();
  int done = 0;
  const int code = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, statuses.data());
  if (code == MPI_ERR_IN_STATUS) {
    for (const MPI_Status& status : statuses) {
      if (status.MPI_ERROR == MPI_ERR_PENDING) continue;
      try {
        check_mpi(status.MPI_ERROR, "MPI_Testall");
      } catch (const MpiError& error) {
        throw GroupError(place_ + ": " + error.what());
      }
    }
  }
  check_mpi(code, "MPI_Testall");
  if (done == 0) return false;
  check_received(statuses);
  requests_.clear();
  expected_.clear();
  tensors_.clear();
  return true;
}

void MpiTransfer::check_received(const std::vector<MPI_Status>& statuses) const {
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    if (expected_[i].from < 0) continue;
    int count = 0;
    MPI_Get_count(&statuses[i], MPI_BYTE, &count);
    if (static_cast<std::size_t>(count) == expected_[i].bytes) continue;
    throw GroupError(place_ + ": rank " + std::to_string(expected_[i].from) + " sent " + std::to_string(count) +
                     " bytes, expected " + std::to_string(expected_[i].bytes));
  }
}

void MpiTransfer::give_up() const {
  std::string waiting;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (expected_[i].from < 0) continue;
    const auto lock = one_mpi_call();
    int done = 0;
    MPI_Status status;
    check_mpi(MPI_Request_get_status(requests_[i], &done, &status), "MPI_Request_get_status");
    if (done == 0) waiting += " " + std::to_string(expected_[i].from);
  }
  throw GroupError(place_ + ": not done after " + std::to_string(patience_.count()) + " ms; nothing came from rank(s)" +
                   (waiting.empty() ? " (all came; a peer does not receive)" : waiting));
}

void MpiTransfer::wait() {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  // Open MPI's own wait spins on a core that another rank could render with.
  long pause_ns = 20'000;
  constexpr long kLongestPauseNs = 2'000'000;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) give_up();
    const timespec pause{0, pause_ns};
    nanosleep(&pause, nullptr);
    pause_ns = std::min(pause_ns * 2, kLongestPauseNs);
  }
}

}  // namespace reelfarm::parallel
