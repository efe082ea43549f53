#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "queue/bundle_limits.hpp"
#include "queue/job_store.hpp"
#include "queue/working_hours.hpp"
#include "worker/agent/deadlines.hpp"
#include "worker/agent/ranks_process.hpp"

namespace reelfarm::worker {

struct AgentOptions {
  queue::StoreOptions store;
  std::optional<queue::BundleLimits> bundle;  ///< announced to the farm with the group
  std::filesystem::path data;
  std::string host;
  LaunchPlan launch;  ///< the agent adds --agent-socket to the program's arguments
  PhaseDeadlines::Settings deadlines;
  int max_leases = 2;                            ///< one window denoises while the one before is decoded and written
  int max_failed_starts = 5;                     ///< in a row, then the agent gives up
  std::chrono::milliseconds restart_pause{200};  ///< after the first death; doubled up to restart_pause_cap
  std::chrono::milliseconds restart_pause_cap{30000};
  std::chrono::milliseconds heartbeat{3000};
  std::optional<queue::WorkingHours>
      hours{};  ///< outside them the group drains and claims nothing; nothing: round the clock
  std::function<std::chrono::system_clock::time_point()> wall_clock = std::chrono::system_clock::now;
  std::chrono::milliseconds idle_exit{0};  ///< drains and ends after so long with nothing to do; 0: never
  std::chrono::seconds drain_limit{600};   ///< how long a drain waits for the running step
};

/// One worker group: leases tasks, has its ranks render them, renews while they tick, publishes what they finish.
///
/// The lease is the agent's, not the ranks': a rank that hangs stops ticking, its deadline passes, and the agent kills
/// the group as a unit, confirms it dead, and only then gives the lease back. Redis may be away for a while: the ranks
/// go on, and what they report is kept and delivered in order when it is back.
class Agent {
 public:
  explicit Agent(AgentOptions options);
  ~Agent();

  /// Runs until `drain_descriptor` (a signalfd or eventfd) becomes readable, or the group cannot be started.
  /// Once readable: the running step is finished, leases are released, the ranks exit. Readable again: killed at once.
  /// Returns the exit code of the program: 0 drained, 1 given up, 2 the ranks refused their input (bundle, device).
  int run(int drain_descriptor);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::worker
