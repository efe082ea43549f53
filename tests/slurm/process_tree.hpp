#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace reelfarm::test {

/// Every process below `root` that is not a zombie, children before their children.
std::vector<pid_t> descendants(pid_t root);

/// Whether a process was started with NAME=VALUE in its environment.
bool has_variable(pid_t pid, const std::string& assignment);
/// The name of its program, at most 15 letters (proc(5), comm).
std::string name_of(pid_t pid);

/// SIGKILL to those for which `chosen` holds; returns when they are gone.
void kill_where(const std::vector<pid_t>& pids, const std::function<bool(pid_t)>& chosen);

}  // namespace reelfarm::test
