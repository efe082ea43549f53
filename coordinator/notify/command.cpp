#include "coordinator/notify/command.hpp"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace reelfarm::notify {
namespace {

constexpr std::size_t kWordsKept = 500;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

/// A file in memory: a program that reads nothing of it cannot block us, as a pipe would.
int memory_file(const char* name, const std::string& content) {
  const int file = ::memfd_create(name, MFD_CLOEXEC);
  if (file < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = ::write(file, content.data() + written, content.size() - written);
    if (count < 0 && errno != EINTR) break;
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  ::lseek(file, 0, SEEK_SET);
  return file;
}

/// What stands at the end of a file that a program wrote to, as one line.
std::string last_words(int file) {
  const off_t size = ::lseek(file, 0, SEEK_END);
  std::string text(std::min<std::size_t>(kWordsKept, size > 0 ? static_cast<std::size_t>(size) : 0), '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), size - static_cast<off_t>(text.size()));
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

pid_t start(std::vector<std::string> words, int input, int output) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // The coordinator's threads block the signals that end it; a child would inherit that. Its own group, to kill it
  // whole.
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, pointers[0], &actions, &attributes, pointers.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start " + words[0]);
  return child;
}

}  // namespace

std::string run_command(const std::vector<std::string>& words, const std::string& input,
                        std::chrono::milliseconds limit) try {
  const Descriptor given(memory_file("notice", input));
  const Descriptor said(memory_file("said", ""));
  const pid_t child = start(words, given.get(), said.get());
  const Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd event{ended.get(), POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + limit;
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    ready = ::poll(&event, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string words_of_it = last_words(said.get());
  const std::string what = words_of_it.empty() ? "" : ": " + words_of_it;
  if (ready == 0) return words[0] + " did not end in time and was killed" + what;
  if (WIFSIGNALED(status)) return words[0] + " was ended by signal " + std::to_string(WTERMSIG(status)) + what;
  if (WEXITSTATUS(status) != 0) return words[0] + " ended with code " + std::to_string(WEXITSTATUS(status)) + what;
  return "";
} catch (const std::system_error& error) {
  return error.what();
}

}  // namespace reelfarm::notify
