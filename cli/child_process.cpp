#include "cli/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "posix/forked_child.hpp"

namespace reelfarm::cli {
namespace {

constexpr std::size_t kKeptLines = 20;
constexpr std::size_t kMaxLine = 16384;
constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLongestPause{30000};
// A child that has lived this long was all right; its next death counts as the first.
constexpr std::chrono::seconds kHealthyAfter{60};

[[noreturn]] void become_child(const char* program, char* const* arguments, int output, pid_t parent) {
  ::setpgid(0, 0);
  posix::prepare_forked_child(parent, SIGKILL);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execv(program, arguments);
  ::dprintf(STDERR_FILENO, "cannot start %s\n", program);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(ChildPlan plan, const std::filesystem::path& log_folder, bool echo)
    : plan_(std::move(plan)), echo_(echo) {
  const auto path = log_folder / (plan_.name + ".log");
  log_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_ < 0) throw std::system_error(errno, std::generic_category(), "cannot open " + path.string());
}

ChildProcess::~ChildProcess() {
  if (running()) {
    signal(SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (output_ >= 0) ::close(output_);
  if (log_ >= 0) ::close(log_);
}

void ChildProcess::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::vector<std::string> words = {plan_.program.string()};
  words.insert(words.end(), plan_.arguments.begin(), plan_.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become_child(plan_.program.c_str(), arguments.data(), ends[1], parent);
  const int error = errno;
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    throw std::system_error(error, std::generic_category(), "cannot start " + plan_.program.string());
  }
  // Also here, so that a signal sent at once finds the group whichever of the two processes runs first.
  ::setpgid(child, child);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  if (output_ >= 0) ::close(output_);
  output_ = ends[0];
  pid_ = child;
  started_ = Clock::now();
}

std::optional<ChildProcess::Clock::time_point> ChildProcess::restart_at() const {
  if (running()) return std::nullopt;
  auto pause = kFirstPause;
  for (int death = 1; death < deaths_in_a_row_ && pause < kLongestPause; ++death) pause *= 2;
  return died_ + std::min(pause, kLongestPause);
}

void ChildProcess::pump() {
  std::array<char, 4096> piece{};
  while (output_ >= 0) {
    const ssize_t count = ::read(output_, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      ::close(output_);
      output_ = -1;
      break;
    }
    unfinished_line_.append(piece.data(), static_cast<std::size_t>(count));
  }
  for (std::size_t end; (end = unfinished_line_.find('\n')) != std::string::npos;) {
    emit(unfinished_line_.substr(0, end));
    unfinished_line_.erase(0, end + 1);
  }
  if (!unfinished_line_.empty() && (output_ < 0 || unfinished_line_.size() > kMaxLine)) {
    emit(std::exchange(unfinished_line_, ""));
  }
}

void ChildProcess::emit(const std::string& line) {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t written = ::write(log_, text.data(), text.size());
  if (echo_) std::fprintf(stderr, "[%s] %s\n", plan_.name.c_str(), line.c_str());
  last_lines_.push_back(line);
  if (last_lines_.size() > kKeptLines) last_lines_.pop_front();
}

bool ChildProcess::reap() {
  if (!running()) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  // What it started and left behind must not go on beside its successor.
  ::kill(-pid_, SIGKILL);
  pid_ = -1;
  pump();
  last_exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  died_ = Clock::now();
  ++deaths_;
  deaths_in_a_row_ = died_ - started_ > kHealthyAfter ? 1 : deaths_in_a_row_ + 1;
  return true;
}

void ChildProcess::signal(int number) const {
  if (running()) ::kill(-pid_, number);
}

std::string ChildProcess::last_words() const {
  std::string text;
  for (const std::string& line : last_lines_) text += "\n  " + line;
  return text;
}

}  // namespace reelfarm::cli
