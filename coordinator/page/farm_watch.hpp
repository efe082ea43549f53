#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::page {

/// What changed since a subscriber last looked.
struct Changes {
  std::set<std::string> jobs;
  bool groups = false;
  bool everything = false;  ///< more than is remembered, or the farm was out of sight: read it all again
};

/// Follows the farm's events in a thread of its own and says what changed to those who wait for it. What it remembers
/// is bounded, however much happens. Thread-safe.
class FarmWatch {
 public:
  explicit FarmWatch(queue::StoreOptions options);
  ~FarmWatch();

  /// Called in the watching thread for every event; set before start().
  std::function<void(const queue::Event&)> on_event;
  /// Called there at most once a second; set before start().
  std::function<void(queue::JobStore&)> on_second;

  void start();
  void stop();
  bool stopped() const { return stop_; }

  /// The number of the newest change: where a subscriber begins.
  std::uint64_t newest() const;
  /// What changed after number `seen`, which it moves on; waits up to `patience` for the first.
  std::optional<Changes> wait(std::uint64_t& seen, std::chrono::milliseconds patience) const;

 private:
  struct Change {
    std::uint64_t number;
    std::string job;  ///< empty: about groups and bundles
  };

  void follow();
  void note(const std::string& job);

  queue::StoreOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Change> changes_;
  std::map<std::string, std::uint64_t> newest_of_;  ///< job -> its newest change among changes_
  std::uint64_t count_ = 0;
  std::uint64_t lost_at_ = 0;  ///< changes up to here may have been missed
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace reelfarm::page
