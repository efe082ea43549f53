#include "tests/slurm/process_tree.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "tests/e2e/farm.hpp"

namespace reelfarm::test {
namespace {

namespace fs = std::filesystem;

struct Process {
  pid_t parent = 0;
  char state = 'X';
};

fs::path entry_of(pid_t pid) {
  return fs::path("/proc") / std::to_string(pid);
}

/// From /proc/PID/stat (proc(5)): pid (comm) state ppid ...; the name may hold anything.
Process look_at(pid_t pid) {
  const std::string stat = e2e::content(entry_of(pid) / "stat");
  Process process;
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return process;
  std::istringstream(stat.substr(name_end + 1)) >> process.state >> process.parent;
  return process;
}

bool gone(pid_t pid) {
  const char state = look_at(pid).state;
  return state == 'X' || state == 'Z';
}

}  // namespace

std::vector<pid_t> descendants(pid_t root) {
  std::map<pid_t, std::vector<pid_t>> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    const Process process = look_at(pid);
    if (process.state != 'X' && process.state != 'Z') children[process.parent].push_back(pid);
  }
  std::vector<pid_t> found = {root};
  for (std::size_t index = 0; index < found.size(); ++index) {
    const auto& below = children[found[index]];
    found.insert(found.end(), below.begin(), below.end());
  }
  found.erase(found.begin());
  return found;
}

bool has_variable(pid_t pid, const std::string& assignment) {
  const std::string zero(1, '\0');
  return (zero + e2e::content(entry_of(pid) / "environ")).find(zero + assignment + zero) != std::string::npos;
}

std::string name_of(pid_t pid) {
  const std::string name = e2e::content(entry_of(pid) / "comm");
  return name.substr(0, name.find('\n'));
}

void kill_where(const std::vector<pid_t>& pids, const std::function<bool(pid_t)>& chosen) {
  std::vector<pid_t> killed;
  std::copy_if(pids.begin(), pids.end(), std::back_inserter(killed), chosen);
  for (const pid_t pid : killed) ::kill(pid, SIGKILL);
  e2e::eventually([&] { return std::all_of(killed.begin(), killed.end(), gone); });
  for (const pid_t pid : killed) ::waitpid(pid, nullptr, WNOHANG);
}

}  // namespace reelfarm::test
