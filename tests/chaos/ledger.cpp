#include "tests/chaos/ledger.hpp"

namespace reelfarm::chaos {

void Ledger::take(const queue::Event& event) {
  const std::string attempt = " (attempt " + std::to_string(event.attempt) + " of " + event.owner + ")";
  if (event.task.empty()) {
    if (event.type == "done" && !ended_jobs_.insert(event.job).second) doubled_.push_back(event.job + " ended twice");
  } else if (event.type == "done") {
    if (!done_.insert(event.task).second) doubled_.push_back(event.task + " was done twice" + attempt);
  } else if (event.type == "input_lost") {
    given_up_ += static_cast<int>(done_.erase(event.task));
  } else if (event.type == "claimed" && done_.contains(event.task)) {
    doubled_.push_back(event.task + " was claimed after it was done" + attempt);
  }
}

}  // namespace reelfarm::chaos
