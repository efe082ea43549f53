#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "queue/event.hpp"

namespace reelfarm::chaos {

/// How long tasks stood still after faults, from the farm's events.
class RecoveryTimes {
 public:
  /// A fault hit whoever holds this task. `new_attempt`: the holder is dead, so only another attempt counts.
  void hit(std::size_t kind, const std::string& task, std::int64_t attempt, queue::ServerTime at, bool new_attempt);

  /// A task goes on with the first step, decoded or written piece or merged window after the fault, or its end.
  void take(const queue::Event& event);

  /// Of one kind of fault, or of the kinds that the filter takes; sorted.
  std::vector<std::chrono::milliseconds> of(std::size_t kind) const;

 private:
  struct Waiting {
    std::size_t kind;
    std::int64_t attempt;
    queue::ServerTime at;
    bool new_attempt;
  };
  std::multimap<std::string, Waiting> waiting_;  ///< by task
  std::map<std::size_t, std::vector<std::chrono::milliseconds>> times_;
};

}  // namespace reelfarm::chaos
