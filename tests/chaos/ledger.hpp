#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/event.hpp"

namespace reelfarm::chaos {

/// What must happen once: each task is done once, is never claimed again after that, and each job ends once.
class Ledger {
 public:
  void take(const queue::Event& event);

  int done_tasks() const { return static_cast<int>(done_.size()); }
  /// What happened twice.
  const std::vector<std::string>& doubled() const { return doubled_; }

 private:
  std::set<std::string> done_;
  std::set<std::string> ended_jobs_;
  std::vector<std::string> doubled_;
};

}  // namespace reelfarm::chaos
