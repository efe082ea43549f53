#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "queue/job_store.hpp"

namespace reelfarm::bench {

queue::BundleLimits simulated_bundle();

struct WorkerCounts {
  std::atomic<std::int64_t> claims{0};
  std::atomic<std::int64_t> empty_claims{0};
  std::atomic<std::int64_t> windows{0};
  std::atomic<std::int64_t> videos{0};
  std::atomic<std::int64_t> transitions{0};  ///< all calls, claims included
};

/// Groups and stitchers that speak the protocol of the real ones and render nothing: each registers, says that it is
/// there, claims, ticks once a step, publishes the tail and finishes. A connection each; `threads` serve the groups,
/// which is all that takes no time here, and each stitcher has one of its own: in turn with fifty groups it would
/// stitch one video in the time of fifty windows.
class SimulatedWorkers {
 public:
  SimulatedWorkers(const queue::StoreOptions& options, int groups, int stitchers, int threads);
  ~SimulatedWorkers();
  const WorkerCounts& counts() const { return counts_; }

 private:
  struct Worker;
  /// Workers first, first + step, ... below end, in turn.
  void serve(std::size_t first, std::size_t step, std::size_t end);
  void serve_once(Worker& worker);

  std::vector<Worker> workers_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  WorkerCounts counts_;
};

}  // namespace reelfarm::bench
