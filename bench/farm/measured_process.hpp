#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace reelfarm::bench {

/// What a process has used so far, from /proc.
struct Usage {
  double cpu_seconds = 0;
  double peak_mebibytes = 0;  ///< largest resident set
};
Usage usage_of(pid_t pid);

/// A child that is stopped (SIGTERM) with this object. Its output is this process's.
class Child {
 public:
  explicit Child(std::vector<std::string> words);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace reelfarm::bench
