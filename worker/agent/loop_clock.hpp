#pragma once

#include <chrono>

namespace reelfarm::worker {

/// How long the agent's own loop stood still: it was stopped, or a Redis that did not answer held it up. What the ranks
/// said meanwhile waits in the socket, so such time is no silence of theirs.
class LoopClock {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LoopClock(Clock::time_point now) : last_(now) {}

  /// Called once a turn. The time since the turn before, without what a turn may take; zero for a usual turn.
  Clock::duration lost(Clock::time_point now) {
    constexpr auto kUsual = std::chrono::seconds(1);
    const auto gap = now - last_;
    last_ = now;
    return gap > kUsual ? gap - kUsual : Clock::duration::zero();
  }

 private:
  Clock::time_point last_;
};

}  // namespace reelfarm::worker
