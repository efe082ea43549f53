#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/device_queue.hpp"
#include "parallel/nccl_communicator.hpp"
#include "parallel/peer_memory.hpp"
#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// How much a peer announces, over the group's control group, for an exchange that is under way on the device.
struct Announcement {
  int from = 0;
  std::int64_t expected = 0;  ///< bytes of all its messages
  at::Tensor announced;       ///< (1) int64, filled by the transfer
  std::unique_ptr<Transfer> transfer;
};

/// An exchange that the device has been given and has perhaps not done yet.
struct Flight {
  std::string place;
  std::chrono::steady_clock::time_point deadline;
  std::chrono::milliseconds patience;
  NcclHandle communicator = nullptr;
  std::shared_ptr<DeviceMark> end;
  std::vector<Announcement> announcements;
  std::vector<std::unique_ptr<Transfer>> announcing;  ///< of what this rank sends
};

/// What a group and those split from it share on one device: the stream on which their exchanges follow each other in
/// the order of posting, and a thread that watches over them. NCCL's calls wait for nobody and report no peer that is
/// gone or sends another size; the thread asks communicators for errors, compares announced sizes and keeps deadlines.
/// When something is wrong it aborts all communicators of the lane and ends what its streams wait for, so that neither
/// device nor host hangs, and the groups are of no use any more.
class NcclLane {
 public:
  using LoadPeers = std::function<std::shared_ptr<PeerDriver>()>;

  /// `peers` gives the driver by which ranks reach each other's memory; it may throw PeerError.
  NcclLane(std::shared_ptr<NcclApi> api, std::unique_ptr<DeviceQueue> queue, LoadPeers peers);
  ~NcclLane();
  NcclLane(const NcclLane&) = delete;
  NcclLane& operator=(const NcclLane&) = delete;

  /// The group's own communicator; collective among `size` ranks with the same `id`. Throws GroupError, beginning with
  /// `place`, when it is not ready within `patience`.
  std::shared_ptr<NcclCommunicator> connect(int size, const NcclId& id, int rank, const std::string& place,
                                            std::chrono::milliseconds patience);
  NcclId unique_id();

  /// Memory that the ranks of `control`, a group, write in each other. Collective; throws as PeerMemory does.
  std::shared_ptr<PeerMemory> open_peer_memory(ProcessGroup& control);
  /// PeerMemory::begin_round() on this lane. Throws GroupError, beginning with `place`.
  std::byte* begin_round(PeerMemory& memory, const std::string& place);

  /// Queues the messages behind what the current stream was given, and watches over them from now on: over NCCL, or,
  /// with `memory`, which holds them, by copy engines. Returns the mark of their end. Throws GroupError.
  std::shared_ptr<DeviceMark> launch(NcclCommunicator& communicator, PeerMemory* memory, const std::vector<Send>& sends,
                                     const std::vector<Receive>& receives, Flight flight);

  /// Throws GroupError with what went wrong, if anything did.
  void require_sound();
  /// Returns when all flights have ended well; throws GroupError otherwise.
  void settle();
  /// Aborts all communicators; the first reason is kept. Any thread.
  void fail(const std::string& why);

 private:
  /// Returns when the communicator has gone through with what it was asked for. Throws GroupError.
  void await(NcclCommunicator& communicator, const std::string& place, std::chrono::steady_clock::time_point deadline,
             std::chrono::milliseconds patience);
  void watch();
  void let_go();
  /// Whether the flight has ended. Throws std::exception when something is wrong with it.
  bool ended(Flight& flight);

  std::shared_ptr<NcclApi> api_;
  std::unique_ptr<DeviceQueue> queue_;
  LoadPeers load_peers_;
  std::mutex calls_;  ///< around every call of NCCL; taken after mutex_ or without it, never before it
  std::mutex mutex_;  ///< around all below
  std::condition_variable changed_;
  std::vector<std::weak_ptr<NcclCommunicator>> communicators_;
  std::vector<std::weak_ptr<PeerMemory>> memories_;
  std::list<Flight> flights_;
  std::optional<std::string> failure_;
  bool closing_ = false;
  std::thread watching_;  // last: begins when all else is there
};

}  // namespace reelfarm::parallel
