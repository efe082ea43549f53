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
  void add(MPI_Request request) { requests_.push_back({request, -1, 0}); }

  void wait() override;

 private:
  struct Request {
    MPI_Request request;
    int from;              // -1: nothing is received
    std::size_t expected;  // bytes, where something is
  };

  bool all_done(std::vector<MPI_Request>& requests, std::vector<MPI_Status>& statuses) const;
  void check_received(const std::vector<MPI_Status>& statuses) const;
  [[noreturn]] void give_up(const std::vector<MPI_Request>& requests) const;

  std::string place_;
  std::chrono::milliseconds patience_;
  std::vector<Request> requests_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace reelfarm::parallel
