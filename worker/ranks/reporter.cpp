#include "worker/ranks/reporter.hpp"

namespace reelfarm::worker {

void Reporter::tick(const Tick& tick) {
  constexpr auto kLeastGap = std::chrono::milliseconds(100);
  const std::lock_guard lock(mutex_);
  Last& last = last_[tick.task];
  const auto now = std::chrono::steady_clock::now();
  if (last.phase == tick.phase && last.step == tick.step && now - last.time < kLeastGap) return;
  last = {tick.phase, tick.step, now};
  send_(tick);
}

void Reporter::send(const Message& message) {
  const std::lock_guard lock(mutex_);
  send_(message);
}

}  // namespace reelfarm::worker
