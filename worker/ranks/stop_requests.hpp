#pragma once

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

namespace reelfarm::worker {

/// Thrown out of the work on a task that the agent wants back. Not an error: the task is released.
class Abandoned : public std::runtime_error {
 public:
  explicit Abandoned(const std::string& task) : std::runtime_error("task " + task + " is given up as asked") {}
};

/// Which tasks the agent wants back, and how soon. Thread-safe.
class StopRequests {
 public:
  /// drain: at the end of the running step; otherwise at once. The stronger wish stays.
  void ask(const std::string& task, bool drain);
  /// Every task, also those that come later.
  void ask_all();
  void forget(const std::string& task);

  /// To be called at each sign of life. Throws Abandoned when the task is wanted back at once.
  void check(const std::string& task);
  /// To be called between steps, and where no step can be half done. Throws Abandoned when the task is wanted back.
  void check_boundary(const std::string& task);

 private:
  std::mutex mutex_;
  std::map<std::string, bool> drains_;
  bool all_ = false;
};

}  // namespace reelfarm::worker
