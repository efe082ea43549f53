#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "queue/job.hpp"

namespace reelfarm::queue {

/// starting: ranks are coming up and weights load. idle, busy. draining: finishes its step, claims nothing more.
/// failed: its ranks do not come up. gone: not seen for longer than three heartbeats (computed, never stored).
enum class GroupState { starting, idle, busy, draining, failed, gone };

/// A worker group: one agent and the ranks it starts.
struct GroupRecord {
  std::string id;  ///< the owner of its leases; unique per start of the agent
  std::string host;
  int pid = 0;
  std::string bundle;  ///< name
  std::string bundle_hash;
  std::string fingerprint;  ///< what decides the bits it renders
  int ranks = 0;
  std::string device;  ///< "cpu", "cuda"
  std::string device_name;
  std::string dtype;
  std::string mesh;     ///< "UxR": ulysses x ring
  std::string version;  ///< of the program
  GroupState state = GroupState::starting;
  std::string note;  ///< why it is failed or draining, for people
  bool drain_requested = false;
  std::chrono::milliseconds clock_ahead{0};  ///< of its host's clock before the server's, at its last sign of life
  std::vector<std::string> tasks;            ///< leased now, read from the leases themselves
  ServerTime registered{};
  ServerTime last_seen{};
};

/// A stitcher that is, or lately was, there.
struct StitcherRecord {
  std::string id{};  ///< the owner of its leases; unique per start
  std::string host{};
  int pid = 0;
  int follow = 0;                    ///< jobs that it follows while they are rendered; it takes one more that is ready
  std::string note{};                ///< why it takes nothing, for people; empty: it does
  std::vector<std::string> tasks{};  ///< leased now, read from the leases themselves
  ServerTime last_seen{};
  bool gone = false;  ///< not seen for longer than three heartbeats
};

std::string_view to_string(GroupState state);
GroupState group_state_from(std::string_view word);

}  // namespace reelfarm::queue
