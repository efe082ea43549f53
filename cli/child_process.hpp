#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "posix/descriptor.hpp"

namespace reelfarm::cli {

/// What to start, and how it is called in messages.
struct ChildPlan {
  std::string name;  ///< "coordinator", "worker-0"; also of its log file
  std::filesystem::path program;
  std::vector<std::string> arguments;
};

/// A program of the farm as a child of `reelfarm up`: in a process group of its own, so that Ctrl-C in the terminal
/// does not reach it, and killed by the kernel when `up` dies. What it prints goes through a pipe to DATA/logs and,
/// with its name before it, to this process's stderr. It is started again when it dies, after a pause that grows.
class ChildProcess {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr int kNotStarted = 127;

  ChildProcess(ChildPlan plan, const std::filesystem::path& log_folder, bool echo);
  /// Kills what still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  const std::string& name() const { return plan_.name; }
  pid_t pid() const { return pid_; }  ///< -1 while it does not run
  bool running() const { return pid_ > 0; }
  int output() const { return output_.get(); }  ///< to be polled; -1 when there is nothing to read
  int deaths() const { return deaths_; }
  const std::optional<int>& last_exit() const { return last_exit_; }  ///< 128 + signal when it was killed
  std::string last_words() const;                                     ///< the last lines it printed

  /// What cannot be started has died at once, with exit code kNotStarted and the reason as its last words. Throws
  /// std::system_error when there are no descriptors for its output.
  void start();
  /// When it may be started again; nothing while it runs.
  std::optional<Clock::time_point> restart_at() const;
  /// Takes what it has printed.
  void pump();
  /// Looks whether it has ended; true when it has just done so.
  bool reap();
  /// To the whole process group.
  void signal(int number) const;

 private:
  void emit(const std::string& line);
  void note_death(int code);

  ChildPlan plan_;
  bool echo_;
  posix::Descriptor log_;
  pid_t pid_ = -1;
  posix::Descriptor output_;
  bool unstarted_ = false;
  std::string unfinished_line_;
  std::deque<std::string> last_lines_;
  int deaths_ = 0;
  int deaths_in_a_row_ = 0;
  std::optional<int> last_exit_;
  Clock::time_point started_;
  Clock::time_point died_;
};

}  // namespace reelfarm::cli
