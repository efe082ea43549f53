#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/event.hpp"

namespace reelfarm::chaos {

/// What must happen once: each task is done once, is never claimed again after that, and each job ends once. A task
/// whose result is damaged is done once more.
class Ledger {
 public:
  void take(const queue::Event& event);

  int done_tasks() const { return static_cast<int>(done_.size()); }
  /// Results that were given up because they were damaged.
  int given_up() const { return given_up_; }
  /// What happened twice.
  const std::vector<std::string>& doubled() const { return doubled_; }

 private:
  std::set<std::string> done_;
  std::set<std::string> ended_jobs_;
  int given_up_ = 0;
  std::vector<std::string> doubled_;
};

}  // namespace reelfarm::chaos
