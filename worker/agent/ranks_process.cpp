#include "worker/agent/ranks_process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>

#include "posix/start_program.hpp"

namespace reelfarm::worker {
namespace {

/// Processes of a session that are not zombies, from /proc/PID/stat (proc(5): pid (comm) state ppid pgrp session).
std::vector<pid_t> members_of_session(pid_t session) {
  std::vector<pid_t> members;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    // The command's name may hold spaces and parentheses: the fields start behind the last one.
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    char state = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t of_session = 0;
    fields >> state >> parent >> group >> of_session;
    if (of_session == session && state != 'Z' && state != 'X') members.push_back(pid);
  }
  return members;
}

std::vector<std::string> command_line(const LaunchPlan& plan) {
  std::vector<std::string> words = plan.launcher;
  words.insert(words.end(), {"-n", std::to_string(plan.ranks), plan.program.string()});
  words.insert(words.end(), plan.arguments.begin(), plan.arguments.end());
  return words;
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

RanksProcess::RanksProcess(const LaunchPlan& plan) try {
  const posix::Descriptor input = posix::null_input();
  launcher_ = posix::start_program({.words = command_line(plan),
                                    .streams = {input.get(), posix::ProgramStart::kOurs, posix::ProgramStart::kOurs},
                                    .kinship = posix::Kinship::own_session,
                                    // Threads of one rank that wait for each other must not spin on a core that another
                                    // rank or station could use. libgomp reads this when it is loaded, so the rank
                                    // itself could not set it any more.
                                    .defaults = {"OMP_WAIT_POLICY=PASSIVE"}});
} catch (const std::system_error& error) {
  throw std::system_error(error.code(), "cannot start the launcher '" + plan.launcher.front() + "' (--launcher)");
}

RanksProcess::~RanksProcess() {
  kill_all();
}

std::optional<int> RanksProcess::exit_code() {
  if (!exit_code_) {
    int status = 0;
    if (::waitpid(launcher_, &status, WNOHANG) == launcher_) exit_code_ = code_of(status);
  }
  return exit_code_;
}

void RanksProcess::kill_all() {
  for (;;) {
    const std::vector<pid_t> members = members_of_session(launcher_);
    for (const pid_t member : members) ::kill(member, SIGKILL);
    if (!exit_code_) {
      int status = 0;
      if (::waitpid(launcher_, &status, WNOHANG) == launcher_) exit_code_ = code_of(status);
    }
    if (members.empty() && exit_code_) return;
    // A killed process leaves the table when the kernel is done with it; there is no descriptor to wait on for a rank.
    const timespec pause{0, 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace reelfarm::worker
