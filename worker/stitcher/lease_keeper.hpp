#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "queue/job_store.hpp"

namespace reelfarm::worker {

/// Renews the stitcher's leases from a thread and connection of its own, and says that it is there, but only as long as
/// the working thread ticks (once a frame): a hung stitcher loses its leases, and a slow Redis never holds up the
/// encoder.
class LeaseKeeper {
 public:
  /// Renews every third of the lease, and at least every 5 s. `longest_silence` without a tick ends the renewing.
  /// Throws queue::Error.
  LeaseKeeper(const queue::StoreOptions& options, queue::StitcherRecord self,
              std::chrono::milliseconds longest_silence);
  /// Signs off.
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  void hold(const queue::FencingToken& token);
  void drop(const queue::FencingToken& token);
  /// The working thread is alive.
  void tick();
  /// Why the stitcher takes nothing; empty: it does.
  void note(const std::string& text);
  /// Sent with the next renewal.
  void report(const queue::FencingToken& token, const queue::Progress& progress);
  /// The farm has said that the lease is not ours any more.
  bool lost(const queue::FencingToken& token) const;

 private:
  struct Held {
    queue::FencingToken token;
    queue::Progress progress;
    bool lost = false;
  };

  void run();
  void renew_all();
  Held* find(const queue::FencingToken& token);

  queue::JobStore store_;
  queue::StitcherRecord self_;
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds longest_silence_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Held> held_;
  std::chrono::steady_clock::time_point last_tick_;
  bool stopping_ = false;
  std::thread thread_;  // Last: it uses everything above.
};

}  // namespace reelfarm::worker
