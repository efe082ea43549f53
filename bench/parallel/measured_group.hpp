#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <c10/core/Device.h>

#include "bench/parallel/forwarding_group.hpp"

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
class MeasuredGroup final : public ForwardingGroup {
 public:
  /// `group` and `costs` must outlive it.
  MeasuredGroup(parallel::ProcessGroup& group, Costs& costs, c10::Device device)
      : ForwardingGroup(group), costs_(costs), device_(device) {}
  std::unique_ptr<parallel::ProcessGroup> split(int colour) override;

 private:
  MeasuredGroup(std::unique_ptr<parallel::ProcessGroup> owned, Costs& costs, c10::Device device)
      : ForwardingGroup(std::move(owned)), costs_(costs), device_(device) {}
  std::unique_ptr<parallel::Transfer> post(std::vector<parallel::Send> sends, std::vector<parallel::Receive> receives,
                                           const char* operation) override;

  Costs& costs_;
  c10::Device device_;
};

}  // namespace reelfarm::bench
