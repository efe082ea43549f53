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

#include "posix/start_program.hpp"

namespace reelfarm::cli {
namespace {

constexpr std::size_t kKeptLines = 20;
constexpr std::size_t kMaxLine = 16384;
constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLongestPause{30000};
// A child that has lived this long was all right; its next death counts as the first.
constexpr std::chrono::seconds kHealthyAfter{60};

}  // namespace

ChildProcess::ChildProcess(ChildPlan plan, const std::filesystem::path& log_folder, bool echo)
    : plan_(std::move(plan)), echo_(echo) {
  const auto path = log_folder / (plan_.name + ".log");
  log_ = posix::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log_) throw std::system_error(errno, std::generic_category(), "cannot open " + path.string());
}

ChildProcess::~ChildProcess() {
  if (running()) {
    signal(SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
}

void ChildProcess::start() {
  posix::Pipe pipe = posix::make_pipe();
  const posix::Descriptor input = posix::null_input();
  std::vector<std::string> words = {plan_.program.string()};
  words.insert(words.end(), plan_.arguments.begin(), plan_.arguments.end());
  started_ = Clock::now();
  try {
    pid_ = posix::start_program({.words = std::move(words),
                                 .streams = {input.get(), pipe.writing.get(), pipe.writing.get()},
                                 .kinship = posix::Kinship::own_group});
  } catch (const std::system_error& error) {
    // Perhaps it is being replaced just now: as if it had died at once.
    emit(error.what());
    unstarted_ = true;
    return;
  }
  ::fcntl(pipe.reading.get(), F_SETFL, O_NONBLOCK);
  output_ = std::move(pipe.reading);
}

std::optional<ChildProcess::Clock::time_point> ChildProcess::restart_at() const {
  if (running()) return std::nullopt;
  auto pause = kFirstPause;
  for (int death = 1; death < deaths_in_a_row_ && pause < kLongestPause; ++death) pause *= 2;
  return died_ + std::min(pause, kLongestPause);
}

void ChildProcess::pump() {
  std::array<char, 4096> piece{};
  while (output_) {
    const ssize_t count = ::read(output_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      output_ = posix::Descriptor();
      break;
    }
    unfinished_line_.append(piece.data(), static_cast<std::size_t>(count));
  }
  for (std::size_t end; (end = unfinished_line_.find('\n')) != std::string::npos;) {
    emit(unfinished_line_.substr(0, end));
    unfinished_line_.erase(0, end + 1);
  }
  if (!unfinished_line_.empty() && (!output_ || unfinished_line_.size() > kMaxLine)) {
    emit(std::exchange(unfinished_line_, ""));
  }
}

void ChildProcess::emit(const std::string& line) {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t written = ::write(log_.get(), text.data(), text.size());
  if (echo_) std::fprintf(stderr, "[%s] %s\n", plan_.name.c_str(), line.c_str());
  last_lines_.push_back(line);
  if (last_lines_.size() > kKeptLines) last_lines_.pop_front();
}

bool ChildProcess::reap() {
  if (std::exchange(unstarted_, false)) {
    note_death(kNotStarted);
    return true;
  }
  if (!running()) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  // What it started and left behind must not go on beside its successor.
  ::kill(-pid_, SIGKILL);
  pid_ = -1;
  pump();
  note_death(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return true;
}

void ChildProcess::note_death(int code) {
  last_exit_ = code;
  died_ = Clock::now();
  ++deaths_;
  deaths_in_a_row_ = died_ - started_ > kHealthyAfter ? 1 : deaths_in_a_row_ + 1;
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
