#include "bench/parallel/measured_group.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <utility>

#include "bench/support/timing.hpp"

namespace reelfarm::bench {
namespace {

void synchronize(c10::Device device) {
  c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

using Clock = std::chrono::steady_clock;

class MeasuredTransfer final : public parallel::Transfer {
 public:
  MeasuredTransfer(std::unique_ptr<parallel::Transfer> transfer, Cost& cost)
      : transfer_(std::move(transfer)), cost_(cost) {}

  void wait() override {
    const auto begin = Clock::now();
    transfer_->wait();
    cost_.seconds += seconds_since(begin);
  }

  bool done() override { return transfer_->done(); }

 private:
  std::unique_ptr<parallel::Transfer> transfer_;
  Cost& cost_;
};

}  // namespace

std::unique_ptr<parallel::ProcessGroup> MeasuredGroup::split(int colour) {
  return std::unique_ptr<ProcessGroup>(new MeasuredGroup(group().split(colour), costs_, device_));
}

std::unique_ptr<parallel::Transfer> MeasuredGroup::post(std::vector<parallel::Send> sends,
                                                        std::vector<parallel::Receive> receives,
                                                        const char* operation) {
  Cost& cost = costs_[operation];
  ++cost.calls;
  for (const parallel::Send& send : sends) cost.bytes += static_cast<std::int64_t>(send.tensor.nbytes());
  if (device_.is_cuda()) {
    synchronize(device_);
    group().barrier();
  }
  const auto begin = Clock::now();
  auto transfer = group().exchange(std::move(sends), std::move(receives), operation);
  if (device_.is_cuda()) {
    transfer->wait();
    synchronize(device_);
  }
  cost.seconds += seconds_since(begin);
  return std::make_unique<MeasuredTransfer>(std::move(transfer), cost);
}

}  // namespace reelfarm::bench
