#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <c10/core/Device.h>

#include "parallel/process_group.hpp"

namespace reelfarm::bench {

/// What exchanges of one name cost this rank.
struct Cost {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;  ///< sent by this rank
  double seconds = 0;      ///< in which it did nothing else
};

using Costs = std::map<std::string, Cost>;

/// A group that notes what its exchanges, and those of the groups split from it, cost. On a GPU, where a wait costs the
/// host nothing, each exchange begins when the device has done all before it, and nothing runs beside it.
class MeasuredGroup final : public parallel::ProcessGroup {
 public:
  /// `group` and `costs` must outlive it.
  MeasuredGroup(parallel::ProcessGroup& group, Costs& costs, c10::Device device);

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void broadcast(std::span<std::byte> bytes, int root) override { group_.broadcast(bytes, root); }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<parallel::ProcessGroup> split(int colour) override;
  void abort(const std::string& why) override { group_.abort(why); }
  void settle() override { group_.settle(); }

 private:
  MeasuredGroup(std::unique_ptr<parallel::ProcessGroup> owned, Costs& costs, c10::Device device);
  std::unique_ptr<parallel::Transfer> post(std::vector<parallel::Send> sends, std::vector<parallel::Receive> receives,
                                           const char* operation) override;

  std::unique_ptr<parallel::ProcessGroup> owned_;
  parallel::ProcessGroup& group_;
  Costs& costs_;
  c10::Device device_;
};

}  // namespace reelfarm::bench
