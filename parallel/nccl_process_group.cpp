#include "parallel/nccl_process_group.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "parallel/all_or_none.hpp"
#include "parallel/errors.hpp"

namespace reelfarm::parallel {
namespace {

at::Tensor one_number(std::int64_t value) {
  return at::full({1}, value, at::kLong);
}

class NcclTransfer final : public Transfer {
 public:
  NcclTransfer(std::shared_ptr<NcclLane> lane, std::shared_ptr<DeviceMark> end, std::vector<at::Tensor> tensors)
      : lane_(std::move(lane)), end_(std::move(end)), tensors_(std::move(tensors)) {}
  ~NcclTransfer() override { let_go(); }

  void wait() override {
    lane_->require_sound();
    let_go();
  }

  bool done() override {
    lane_->require_sound();
    return tensors_.empty() || end_->passed();
  }

 private:
  /// The memory of tensors may be used again by what the current stream is given afterwards, which begins later.
  void let_go() {
    if (tensors_.empty()) return;
    end_->hold_current_stream();
    tensors_.clear();
  }

  std::shared_ptr<NcclLane> lane_;
  std::shared_ptr<DeviceMark> end_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace

NcclProcessGroup::NcclProcessGroup(std::unique_ptr<ProcessGroup> control, c10::Device device,
                                   std::shared_ptr<NcclLane> lane)
    : ProcessGroup(control->patience()), control_(std::move(control)), device_(device), lane_(std::move(lane)) {
  if (size() == 1) return;
  NcclId id{};
  all_or_none(*control_, [&] {
    if (rank() == 0) id = lane_->unique_id();
  });
  control_->broadcast(std::as_writable_bytes(std::span(id)), 0);
  const c10::DeviceGuard guard(device_);
  communicator_ = lane_->connect(size(), id, rank(), place("connect over NCCL"), std::min(kConnecting, patience()));
}

NcclProcessGroup::~NcclProcessGroup() {
  // What is under way uses the communicator. A lane that has failed has aborted it.
  try {
    lane_->settle();
  } catch (const GroupError&) {
  }
}

void NcclProcessGroup::set_step(std::string step) {
  control_->set_step(step);
  ProcessGroup::set_step(std::move(step));
}

void NcclProcessGroup::set_patience(std::chrono::milliseconds patience) {
  control_->set_patience(patience);
  ProcessGroup::set_patience(patience);
}

std::unique_ptr<ProcessGroup> NcclProcessGroup::split(int colour) {
  return std::make_unique<NcclProcessGroup>(control_->split(colour), device_, lane_);
}

void NcclProcessGroup::abort(const std::string& why) {
  lane_->fail(place("abort") + ": " + why);
  control_->abort(why);
}

Flight NcclProcessGroup::announce(const std::vector<Send>& sends, const std::vector<Receive>& receives,
                                  const char* operation) {
  Flight flight{.place = place(operation),
                .deadline = std::chrono::steady_clock::now() + patience(),
                .patience = patience(),
                .communicator = nullptr,
                .end = nullptr,
                .announcements = {},
                .announcing = {}};
  // One announcement a peer, whatever the number of messages.
  std::map<int, std::int64_t> to;
  std::map<int, std::int64_t> from;
  for (const Send& send : sends) to[send.to] += static_cast<std::int64_t>(send.tensor.nbytes());
  for (const Receive& receive : receives) from[receive.from] += static_cast<std::int64_t>(receive.tensor.nbytes());
  for (const auto& [peer, bytes] : to) {
    flight.announcing.push_back(control_->exchange({{one_number(bytes), peer}}, {}, operation));
  }
  for (const auto& [peer, bytes] : from) {
    Announcement announcement{peer, bytes, one_number(-1), nullptr};
    announcement.transfer = control_->exchange({}, {{announcement.announced, peer}}, operation);
    flight.announcements.push_back(std::move(announcement));
  }
  return flight;
}

std::unique_ptr<Transfer> NcclProcessGroup::post(std::vector<Send> sends, std::vector<Receive> receives,
                                                 const char* operation) {
  const auto is_here = [&](const auto& message) { return message.tensor.device() == device_; };
  const auto here = std::ranges::count_if(sends, is_here) + std::ranges::count_if(receives, is_here);
  if (here == 0) return control_->exchange(std::move(sends), std::move(receives), operation);
  if (here != std::ssize(sends) + std::ssize(receives)) {
    throw std::invalid_argument(place(operation) + ": some tensors are not on " + device_.str());
  }
  return launch(nullptr, std::move(sends), std::move(receives), operation);
}

std::unique_ptr<Transfer> NcclProcessGroup::launch(PeerMemory* memory, std::vector<Send> sends,
                                                   std::vector<Receive> receives, const char* operation) {
  Flight flight = announce(sends, receives, operation);
  auto end = lane_->launch(*communicator_, memory, sends, receives, std::move(flight));
  std::vector<at::Tensor> tensors;
  for (Send& send : sends) tensors.push_back(std::move(send.tensor));
  for (Receive& receive : receives) tensors.push_back(std::move(receive.tensor));
  return std::make_unique<NcclTransfer>(lane_, std::move(end), std::move(tensors));
}

std::unique_ptr<Transfer> NcclProcessGroup::exchange_rows(std::vector<Send> sends, std::vector<Receive> receives,
                                                          const char* operation) {
  if (memory_ && memory_->holds(sends, receives)) {
    return launch(memory_.get(), std::move(sends), std::move(receives), operation);
  }
  return ProcessGroup::exchange_rows(std::move(sends), std::move(receives), operation);
}

std::vector<at::Tensor> NcclProcessGroup::symmetric_empty(const std::vector<std::int64_t>& counts,
                                                          const at::TensorOptions& options) {
  if (!writes_peers(options.device())) return ProcessGroup::symmetric_empty(counts, options);
  constexpr std::size_t kAlignment = 256;  // bytes: what CUDA's allocations have
  std::vector<std::size_t> offsets = {0};
  for (const std::int64_t count : counts) {
    const std::size_t bytes = static_cast<std::size_t>(count) * options.dtype().itemsize();
    offsets.push_back(offsets.back() + (bytes + kAlignment - 1) / kAlignment * kAlignment);
  }
  if (offsets.back() > memory_->bytes()) {
    settle();
    try {
      memory_->grow(*control_, offsets.back());
    } catch (const PeerError& error) {
      throw GroupError(place("symmetric memory of ") + std::to_string(offsets.back()) + " bytes: " + error.what());
    }
  }
  std::byte* begin = lane_->begin_round(*memory_, place("symmetric memory"));
  std::vector<at::Tensor> tensors;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    tensors.push_back(
        at::for_blob(begin + offsets[i], {counts[i]}).options(options).target_device(device_).make_tensor());
  }
  return tensors;
}

std::string NcclProcessGroup::no_peer_writes(c10::Device device) {
  if (size() == 1) return "the group is one rank";
  if (device != device_) return "the group's device is " + device_.str() + ", not " + device.str();
  if (!no_memory_) open_memory();
  return *no_memory_;
}

void NcclProcessGroup::open_memory() {
  try {
    memory_ = lane_->open_peer_memory(*control_);
    no_memory_ = "";
  } catch (const PeerFailed& failed) {
    no_memory_ = failed.what();
  } catch (const GroupError&) {
    throw;
  } catch (const std::exception& error) {
    no_memory_ = error.what();
  }
}

std::unique_ptr<ProcessGroup> group_on(c10::Device device, std::unique_ptr<ProcessGroup> control) {
  if (!device.is_cuda() || control->size() == 1) return control;
  std::shared_ptr<NcclLane> lane;
  all_or_none(*control, [&] { lane = std::make_shared<NcclLane>(load_nccl(), cuda_queue(device), load_peer_driver); });
  return std::make_unique<NcclProcessGroup>(std::move(control), device, std::move(lane));
}

}  // namespace reelfarm::parallel
