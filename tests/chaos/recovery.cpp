#include "tests/chaos/recovery.hpp"

#include <algorithm>

namespace reelfarm::chaos {
namespace {

bool is_headway(const queue::Event& event) {
  if (event.type == "done") return true;
  return event.type == "step" && event.state != "load" && event.state != "encode";
}

}  // namespace

void RecoveryTimes::hit(std::size_t kind, const std::string& task, std::int64_t attempt, queue::ServerTime at,
                        bool new_attempt) {
  waiting_.emplace(task, Waiting{kind, attempt, at, new_attempt});
}

void RecoveryTimes::take(const queue::Event& event) {
  if (!is_headway(event)) return;
  auto [at, end] = waiting_.equal_range(event.task);
  while (at != end) {
    const Waiting& waiting = at->second;
    // The last words of a killed holder may arrive after it: only its done is the end of the matter.
    const bool counts =
        event.time > waiting.at && (!waiting.new_attempt || event.attempt > waiting.attempt || event.type == "done");
    if (!counts) {
      ++at;
      continue;
    }
    times_[waiting.kind].push_back(event.time - waiting.at);
    at = waiting_.erase(at);
  }
}

std::vector<std::chrono::milliseconds> RecoveryTimes::of(std::size_t kind) const {
  const auto known = times_.find(kind);
  if (known == times_.end()) return {};
  std::vector<std::chrono::milliseconds> sorted = known->second;
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace reelfarm::chaos
