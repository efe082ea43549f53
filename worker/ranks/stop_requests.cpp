#include "worker/ranks/stop_requests.hpp"

namespace reelfarm::worker {

void StopRequests::ask(const std::string& task, bool drain) {
  const std::lock_guard lock(mutex_);
  const auto [entry, added] = drains_.try_emplace(task, drain);
  if (!added) entry->second = entry->second && drain;
}

void StopRequests::ask_all() {
  const std::lock_guard lock(mutex_);
  all_ = true;
}

void StopRequests::forget(const std::string& task) {
  const std::lock_guard lock(mutex_);
  drains_.erase(task);
}

void StopRequests::check(const std::string& task) {
  const std::lock_guard lock(mutex_);
  const auto entry = drains_.find(task);
  if (entry != drains_.end() && !entry->second) throw Abandoned(task);
}

void StopRequests::check_boundary(const std::string& task) {
  const std::lock_guard lock(mutex_);
  if (all_ || drains_.contains(task)) throw Abandoned(task);
}

}  // namespace reelfarm::worker
