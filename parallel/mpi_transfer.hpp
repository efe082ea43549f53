#pragma once

#include <mpi.h>

#include <chrono>
#include <string>
#include <vector>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// Requests that were posted together.
class MpiTransfer final : public Transfer {
 public:
  MpiTransfer(std::string place, std::chrono::milliseconds patience) : place_(std::move(place)), patience_(patience) {}
  ~MpiTransfer() override;

  /// Posts without waiting. MPI counts are ints: larger tensors go in pieces.
  void send(MPI_Comm comm, const Send& message);
  void receive(MPI_Comm comm, const Receive& message);
  /// Takes over the request of a collective call on `comm`.
  void add(MPI_Request request) { add(request, {-1, 0}); }

  void wait() override;
  bool done() override;

 private:
  /// What belongs to the request of the same index.
  struct Expected {
    int from;           // -1: nothing is received
    std::size_t bytes;  // where something is
  };

  void add(MPI_Request request, const Expected& expected);
  void check_received(const std::vector<MPI_Status>& statuses) const;
  [[noreturn]] void give_up() const;

  std::string place_;
  std::chrono::milliseconds patience_;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace reelfarm::parallel
