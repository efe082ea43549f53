#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "queue/job_store.hpp"
#include "worker/stitcher/stitch_job.hpp"

namespace reelfarm::worker {

struct StitcherOptions {
  queue::StoreOptions store;
  std::filesystem::path data;
  std::string host;
  EncodingChoice encoding;
  int follow = 4;  ///< jobs whose windows are merged as they come; each holds an encoder's memory
  std::chrono::milliseconds longest_silence{120'000};  ///< without a frame or a look at the queue: the leases end
  std::chrono::milliseconds no_room_delay{
      5'000};  ///< before a job that found no room, here or on the disk, may be claimed again
};

/// Claims stitch tasks and serves them in turns of one window each, so that a job whose next window is not there yet
/// blocks nobody. Up to `follow` jobs are held while they wait, because starting again would cost their encoding; one
/// more is taken when all its windows are there. Any other is given back for a while.
class StitcherService {
 public:
  /// Connects. Throws queue::Error.
  explicit StitcherService(StitcherOptions options);
  ~StitcherService();

  /// Works until stop(); survives a queue that goes away. Gives all tasks back at the end.
  void run();
  /// From any thread: run() ends within a frame.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::worker
