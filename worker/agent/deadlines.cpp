#include "worker/agent/deadlines.hpp"

#include <algorithm>

namespace reelfarm::worker {

void PhaseDeadlines::observe(const std::string& phase, Duration gap) {
  Duration& longest = longest_[phase];
  longest = std::max(longest, gap);
}

PhaseDeadlines::Duration PhaseDeadlines::deadline(const std::string& phase) const {
  Duration limit = settings_.first;
  if (const auto known = longest_.find(phase); known != longest_.end()) {
    limit = std::max(settings_.floor, std::chrono::duration_cast<Duration>(known->second * settings_.margin));
  }
  if (phase == "load") {
    limit += std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(static_cast<double>(settings_.load_bytes) / settings_.slowest_storage));
  }
  return limit;
}

}  // namespace reelfarm::worker
