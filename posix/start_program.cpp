#include "posix/start_program.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string_view>
#include <system_error>

namespace reelfarm::posix {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// This program's environment and those of `defaults` that it lacks.
std::vector<char*> environment_with(std::vector<std::string>& defaults) {
  std::vector<char*> all;
  for (char** variable = environ; *variable != nullptr; ++variable) all.push_back(*variable);
  for (std::string& variable : defaults) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    const bool there =
        std::ranges::any_of(all, [&](const char* one) { return std::string_view(one).starts_with(name); });
    if (!there) all.push_back(variable.data());
  }
  all.push_back(nullptr);
  return all;
}

/// In the child: no signal blocked or ignored, whatever this program did to its own. It ends at once if `parent` has
/// died already, and gets `death_signal` when the thread that forked does.
void reset_signals(pid_t parent, int death_signal) {
  if (death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != parent) ::_exit(1);  // died before the line above
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
}

/// Between fork and exec: only async-signal-safe calls. What goes wrong is written to `report`.
[[noreturn]] void become(const ProgramStart& start, char* const* words, char* const* environment, int report,
                         pid_t parent) {
  if (start.kinship == Kinship::own_group) ::setpgid(0, 0);
  if (start.kinship == Kinship::own_session) ::setsid();
  reset_signals(parent, start.death_signal);
  bool placed = true;
  for (int stream = 0; stream < 3; ++stream) {
    const int source = start.streams[static_cast<std::size_t>(stream)];
    if (source != ProgramStart::kOurs) placed = placed && ::dup2(source, stream) == stream;
  }
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (start.kept >= 0) placed = placed && ::fcntl(start.kept, F_SETFD, 0) == 0;
  if (placed) ::execvpe(words[0], words, environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor null_input() {
  Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!file) fail("cannot open /dev/null", errno);
  return file;
}

pid_t start_program(ProgramStart start) {
  const std::vector<char*> words = pointers_to(start.words);
  const std::vector<char*> environment = environment_with(start.defaults);
  // A failed exec is told through this pipe, which a successful one closes.
  Pipe report = make_pipe();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail("fork for " + start.words.front(), errno);
  if (child == 0) become(start, words.data(), environment.data(), report.writing.get(), parent);
  // Also here: a signal to the group finds it whichever of the two processes runs first.
  if (start.kinship == Kinship::own_group) ::setpgid(child, child);
  report.writing = Descriptor();
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(report.reading.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(child, nullptr, 0);
    fail("cannot start " + start.words.front(), error);
  }
  return child;
}

}  // namespace reelfarm::posix
