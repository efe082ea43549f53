#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/farm_file.hpp"
#include "queue/host_name.hpp"

namespace reelfarm::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::seconds kAfterKill{30};

/// A process that has ended and waits for its parent to notice counts as gone: it holds nothing any more.
bool exists(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  // "pid (name) state ...", where the name may hold anything.
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end, 3, ") Z") != 0;
}

/// The farm's processes that are still there.
std::string still_there(const FarmFile& file) {
  std::string text;
  for (const auto& [name, pid] : file.pids) {
    if (exists(pid)) text += (text.empty() ? "" : ", ") + name + " (" + std::to_string(pid) + ")";
  }
  if (exists(file.pid)) text += (text.empty() ? "" : ", ") + std::string("up (") + std::to_string(file.pid) + ")";
  return text;
}

/// True when `up` has let go of its lock and its processes are gone by `deadline`.
bool wait_until_gone(const queue::DataFolder& data, const FarmFile& file, Clock::time_point deadline) {
  for (;;) {
    // The lock says it first: a process id may be another's a moment later.
    if (take_up_lock(data) && still_there(file).empty()) return true;
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

int run_down(const Arguments& arguments) {
  const queue::DataFolder data = data_folder(arguments);
  const double timeout_s = arguments.number("timeout", 600);
  if (!(timeout_s >= 0 && timeout_s <= 86400)) throw BadInput("--timeout must be from 0 to 86400 seconds");
  const auto file = std::filesystem::is_directory(data.root()) ? read_farm_file(data) : std::nullopt;
  // Whoever holds the lock is a running `up`; without it the file is what a killed one left behind.
  if (!std::filesystem::is_directory(data.root()) || take_up_lock(data)) {
    std::fprintf(stderr, "no farm is running on %s\n", data.root().c_str());
    return kDone;
  }
  if (!file) {
    throw FarmUnreachable("a farm is coming up on " + data.root().string() +
                          ", but it has not said its process id yet: try again in a moment");
  }
  if (!file->host.empty() && file->host != queue::host_name()) {
    throw BadInput("the farm on " + data.root().string() + " runs on " + file->host +
                   ": stop it there, or cancel its job where a batch system runs it (scancel)");
  }
  // Of two equal signals that come together the kernel keeps one, so the second word is another.
  const auto ask = [&](int signal) {
    if (::kill(file->pid, signal) != 0 && errno != ESRCH) {
      throw BadInput("cannot stop process " + std::to_string(file->pid) + ": " + std::strerror(errno));
    }
  };
  ask(SIGTERM);
  if (arguments.flag("now")) ask(SIGINT);
  const auto patience = std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s * 1000));
  if (!wait_until_gone(data, *file, Clock::now() + patience)) {
    std::fprintf(stderr, "the farm has not drained in %g s; killing it\n", timeout_s);
    ask(SIGINT);
    if (!wait_until_gone(data, *file, Clock::now() + kAfterKill)) {
      throw CommandError(kInternalError, "the farm does not stop; still there: " + still_there(*file));
    }
  }
  std::fprintf(stderr, "the farm on %s has stopped\n", data.root().c_str());
  return kDone;
}

}  // namespace reelfarm::cli
