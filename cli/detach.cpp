#include "cli/detach.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "cli/errors.hpp"
#include "posix/start_program.hpp"

namespace reelfarm::cli {
namespace {

/// In the terminal: prints what the other process reports. The first byte is the exit code.
[[noreturn]] void await_report(int descriptor, const std::filesystem::path& log) {
  std::string message;
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = ::read(descriptor, piece.data(), piece.size())) != 0;) {
    if (count > 0) message.append(piece.data(), static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) break;
  }
  if (message.empty()) {
    std::fprintf(stderr, "reelfarm: the farm died while it came up; see %s\n", log.c_str());
    std::_Exit(kInternalError);
  }
  std::fprintf(stderr, "%s\n", message.c_str() + 1);
  std::_Exit(static_cast<unsigned char>(message[0]));
}

}  // namespace

void ReadyPipe::report(int code, const std::string& text) {
  if (!end_) return;
  const std::string message = std::string(1, static_cast<char>(code)) + text;
  [[maybe_unused]] const ssize_t written = ::write(end_.get(), message.data(), message.size());
  end_ = posix::Descriptor();
}

ReadyPipe go_to_background(const std::filesystem::path& log) {
  posix::Pipe pipe = posix::make_pipe();
  const posix::Descriptor input = posix::null_input();
  const posix::Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output) throw std::system_error(errno, std::generic_category(), "cannot open " + log.string());
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) {
    pipe.writing = posix::Descriptor();
    std::fprintf(stderr, "reelfarm: the farm is coming up, its log is %s\n", log.c_str());
    await_report(pipe.reading.get(), log);
  }
  pipe.reading = posix::Descriptor();
  ::setsid();
  ::dup2(input.get(), STDIN_FILENO);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  return ReadyPipe(std::move(pipe.writing));
}

}  // namespace reelfarm::cli
