#include "posix/run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "posix/descriptor.hpp"
#include "posix/start_program.hpp"

namespace reelfarm::posix {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what, int error = errno) {
  throw std::system_error(error, std::generic_category(), what);
}

/// A file in memory: a program that reads nothing of it cannot block us, as a pipe would.
Descriptor memory_file(const std::string& content) {
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) fail("memfd_create");
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = ::write(file.get(), content.data() + written, content.size() - written);
    if (count < 0 && errno != EINTR) fail("writing a program's input to memory");
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

/// The end of what comes out of a pipe.
class Stream {
 public:
  Stream(Descriptor source, std::size_t keep) : source_(std::move(source)), keep_(keep) {}

  /// To be polled; -1 once all writers have closed it.
  int descriptor() const { return source_.get(); }

  /// Takes at most `most` bytes and says how many; to be called when there is something, or an end.
  std::size_t read(std::size_t most = SIZE_MAX) {
    std::array<char, 65536> piece{};
    const ssize_t count = ::read(source_.get(), piece.data(), std::min(most, piece.size()));
    if (count == 0 || (count < 0 && errno != EINTR)) source_ = Descriptor();
    if (count <= 0) return 0;
    text_.append(piece.data(), static_cast<std::size_t>(count));
    if (text_.size() / 2 > keep_) cut();
    return static_cast<std::size_t>(count);
  }

  /// What is there now and no more: a program left in the background may go on writing for ever.
  std::string finish() {
    int waiting = 0;
    if (source_ && ::ioctl(source_.get(), FIONREAD, &waiting) != 0) waiting = 0;
    for (auto left = static_cast<std::size_t>(waiting); left > 0 && source_;) left -= read(left);
    cut();
    return std::move(text_);
  }

 private:
  void cut() {
    if (text_.size() > keep_) text_.erase(0, text_.size() - keep_);
  }

  Descriptor source_;
  std::size_t keep_;
  std::string text_;
};

int milliseconds_until(const std::optional<Clock::time_point>& end) {
  if (!end) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

/// Reads both streams until the process behind `pidfd` has ended. False: it had not by `end`.
bool read_until_ended(int pidfd, Stream& output, Stream& errors, const std::optional<Clock::time_point>& end) {
  for (;;) {
    std::array<pollfd, 3> polls{pollfd{pidfd, POLLIN, 0}, pollfd{output.descriptor(), POLLIN, 0},
                                pollfd{errors.descriptor(), POLLIN, 0}};
    const int ready = ::poll(polls.data(), polls.size(), milliseconds_until(end));
    if (ready < 0 && errno != EINTR) fail("poll");
    if (ready > 0 && polls[0].revents != 0) return true;
    if (ready > 0 && polls[1].revents != 0) output.read();
    if (ready > 0 && polls[2].revents != 0) errors.read();
    if (end && Clock::now() >= *end) return false;
  }
}

}  // namespace

Ended run_program(const ProgramRun& run) {
  const Descriptor input = memory_file(run.input);
  Pipe out = make_pipe();
  Pipe err = run.errors == ErrorStream::apart ? make_pipe() : Pipe{};
  const int error_stream = run.errors == ErrorStream::with_output ? out.writing.get() : err.writing.get();
  std::optional<Clock::time_point> end;
  if (run.limit) end = Clock::now() + *run.limit;
  const pid_t child = start_program({.words = run.words,
                                     .streams = {input.get(), out.writing.get(), error_stream},
                                     .kinship = run.limit ? Kinship::own_group : Kinship::same_group});
  out.writing = Descriptor();
  err.writing = Descriptor();

  Ended ended;
  Stream output(std::move(out.reading), run.keep);
  Stream errors(std::move(err.reading), run.keep);
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const int watched = pidfd ? 0 : errno;
  ended.in_time = watched == 0 && read_until_ended(pidfd.get(), output, errors, end);
  if (!ended.in_time) ::kill(run.limit ? -child : child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (watched != 0) fail("pidfd_open for " + run.words.front(), watched);
  ended.output = output.finish();
  ended.errors = errors.finish();
  ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ended.exit_code = ended.signal != 0 ? 128 + ended.signal : WEXITSTATUS(status);
  return ended;
}

}  // namespace reelfarm::posix
