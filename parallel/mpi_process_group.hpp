#pragma once

#include <mpi.h>

#include <chrono>
#include <memory>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// Ranks are processes of an MpiSession; tensors lie on the CPU. Different groups may be used by different threads.
class MpiProcessGroup final : public ProcessGroup {
 public:
  /// Takes the communicator over.
  MpiProcessGroup(MPI_Comm owned, std::chrono::milliseconds patience);
  ~MpiProcessGroup() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void broadcast(std::span<std::byte> bytes, int root) override;
  void barrier() override;
  std::unique_ptr<ProcessGroup> split(int colour) override;
  [[noreturn]] void abort(const std::string& why) override;

 private:
  std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                 const char* operation) override;

  /// Starts a collective call of MPI, named `call`, and waits for it. start(request) gives its return code.
  template <typename Start>
  void run(const char* operation, const char* call, const Start& start);

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace reelfarm::parallel
