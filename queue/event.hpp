#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "queue/job.hpp"

namespace reelfarm::queue {

struct StoreOptions;

/// One state change, as the transition that made it wrote it down.
struct Event {
  std::string id;    ///< of the stream; sorts by time
  std::string type;  ///< submitted, accepted, rejected, ready, claimed, step, tail, done, retry, released, failed,
                     ///< poison, cancelled, paused, resumed, held, priority, mix, corrupt, closed, group, bundle,
                     ///< tail_mismatch, input_lost (task: whose result is given up), used, blocklisted and
                     ///< unblocklisted (text: the host), waiting, disk,
                     ///< farm (paused or resumed)
  std::string job;
  std::string task;         ///< empty: about the job as a whole
  std::string owner;        ///< group or stitcher; empty: none
  std::string state;        ///< of the task, or of the job when task is empty
  std::string error_class;  ///< of retry, failed and poison of a task: a FailureClass name, "lost" (its lease ran out)
                            ///< or "poison"
  std::string text;         ///< reason or error, for people
  std::int64_t attempt = 0;
  int step = 0;
  int steps = 0;
  ServerTime time{};
};

/// Follows the farm's events on a connection of its own, because a blocking read would hold up everything else.
class EventReader {
 public:
  /// Starts after event `after`: "$" means only what comes from now on, "0" everything still kept.
  /// "$" is resolved to an id here, so nothing between construction and the first read is missed.
  explicit EventReader(const StoreOptions& options, std::string after = "$");
  ~EventReader();
  EventReader(EventReader&&) noexcept;

  /// Up to `limit` events, waiting up to `wait` for the first; empty when none came. Throws ConnectionError.
  std::vector<Event> read(std::chrono::milliseconds wait, int limit = 256);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::queue
