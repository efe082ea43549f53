#include "bench/parallel/measured_group.hpp"

#include <chrono>
#include <utility>

namespace reelfarm::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class MeasuredTransfer final : public parallel::Transfer {
 public:
  MeasuredTransfer(std::unique_ptr<parallel::Transfer> transfer, Cost& cost)
      : transfer_(std::move(transfer)), cost_(cost) {}

  void wait() override {
    const auto begin = Clock::now();
    transfer_->wait();
    cost_.seconds += seconds_since(begin);
  }

 private:
  std::unique_ptr<parallel::Transfer> transfer_;
  Cost& cost_;
};

/// Of "rank 0 of 2: all_to_all (step 1)", as ProcessGroup makes it.
std::string operation_of(const std::string& place) {
  const std::size_t begin = place.find(": ") + 2;
  return place.substr(begin, place.find(" (") - begin);
}

}  // namespace

MeasuredGroup::MeasuredGroup(parallel::ProcessGroup& group, Costs& costs)
    : ProcessGroup(group.patience()), group_(group), costs_(costs) {}

MeasuredGroup::MeasuredGroup(std::unique_ptr<parallel::ProcessGroup> owned, Costs& costs)
    : ProcessGroup(owned->patience()), owned_(std::move(owned)), group_(*owned_), costs_(costs) {}

std::unique_ptr<parallel::ProcessGroup> MeasuredGroup::split(int colour) {
  return std::unique_ptr<ProcessGroup>(new MeasuredGroup(group_.split(colour), costs_));
}

std::unique_ptr<parallel::Transfer> MeasuredGroup::post(std::vector<parallel::Send> sends,
                                                        std::vector<parallel::Receive> receives,
                                                        const std::string& place) {
  const std::string operation = operation_of(place);
  Cost& cost = costs_[operation];
  ++cost.calls;
  for (const parallel::Send& send : sends) cost.bytes += static_cast<std::int64_t>(send.tensor.nbytes());
  const auto begin = Clock::now();
  auto transfer = group_.exchange(std::move(sends), std::move(receives), operation.c_str());
  cost.seconds += seconds_since(begin);
  return std::make_unique<MeasuredTransfer>(std::move(transfer), cost);
}

}  // namespace reelfarm::bench
