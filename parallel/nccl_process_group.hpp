#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "parallel/nccl_lane.hpp"
#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// Ranks with a GPU each. Tensors on that GPU go over NCCL, in the order of the calling thread's current stream and
/// without waiting on the host; what lies in symmetric_empty() goes by copy engines, where the GPUs of all ranks reach
/// each other; everything else (orders, sizes, tensors on the CPU, barriers) goes over a control group of the same
/// ranks.
class NcclProcessGroup final : public ProcessGroup {
 public:
  /// Collective over `control`, which is taken over. `device` must be the calling thread's current device for CUDA, and
  /// another GPU on every rank. Throws GroupError when the ranks do not find each other within kConnecting or
  /// the control's patience, whichever is less.
  NcclProcessGroup(std::unique_ptr<ProcessGroup> control, c10::Device device, std::shared_ptr<NcclLane> lane);
  ~NcclProcessGroup() override;

  static constexpr std::chrono::milliseconds kConnecting = std::chrono::minutes(2);

  int rank() const override { return control_->rank(); }
  int size() const override { return control_->size(); }
  void broadcast(std::span<std::byte> bytes, int root) override { control_->broadcast(bytes, root); }
  void barrier() override { control_->barrier(); }
  void settle() override { lane_->settle(); }
  std::unique_ptr<ProcessGroup> split(int colour) override;
  void abort(const std::string& why) override;
  void set_step(std::string step) override;
  void set_patience(std::chrono::milliseconds patience) override;
  std::vector<at::Tensor> symmetric_empty(const std::vector<std::int64_t>& counts,
                                          const at::TensorOptions& options) override;

  std::string no_peer_writes(c10::Device device) override;

 private:
  std::unique_ptr<Transfer> exchange_rows(std::vector<Send> sends, std::vector<Receive> receives,
                                          const char* operation) override;
  std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                 const char* operation) override;
  std::unique_ptr<Transfer> launch(PeerMemory* memory, std::vector<Send> sends, std::vector<Receive> receives,
                                   const char* operation);
  void open_memory();
  Flight announce(const std::vector<Send>& sends, const std::vector<Receive>& receives, const char* operation);

  std::unique_ptr<ProcessGroup> control_;
  c10::Device device_;
  std::shared_ptr<NcclLane> lane_;
  std::shared_ptr<NcclCommunicator> communicator_;  ///< null in a group of one rank
  std::shared_ptr<PeerMemory> memory_;              ///< null without copy engines
  std::optional<std::string> no_memory_;            ///< why; once that was asked
};

/// Collective over `control`, which is taken over: a group whose ranks exchange what lies on `device`. On the CPU that
/// is the control group itself; on a GPU a NcclProcessGroup with a lane of its own. Throws NcclError on every rank when
/// NCCL cannot be loaded on one (PeerFailed on the others), and GroupError as NcclProcessGroup does.
std::unique_ptr<ProcessGroup> group_on(c10::Device device, std::unique_ptr<ProcessGroup> control);

}  // namespace reelfarm::parallel
