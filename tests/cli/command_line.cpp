#include "tests/cli/command_line.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

namespace reelfarm::test {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kLook{5};

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Running::Running(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                 const fs::path& folder) {
  static int counter = 0;
  const std::string number = std::to_string(counter++);
  output_ = folder / ("stdout-" + number);
  errors_ = folder / ("stderr-" + number);
  std::vector<std::string> arguments = words;
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> envp = pointers(variables);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
    ::dup2(::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
}

Running::Running(Running&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      code_(other.code_),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

Running::~Running() {
  if (pid_ > 0 && !ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Running::signal(int number) const {
  ::kill(pid_, number);
}

std::string Running::output() const {
  return content_of(output_);
}

std::string Running::errors() const {
  return content_of(errors_);
}

bool Running::ended() {
  if (code_ >= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

Ended Running::wait(std::chrono::seconds limit) {
  if (!eventually([this] { return ended(); }, limit)) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    code_ = 128 + SIGKILL;
    return {-2, output(), errors() + "\n(did not end in time)"};
  }
  return {code_, output(), errors()};
}

bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

bool process_exists(pid_t pid) {
  const std::string stat = content_of("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end, 3, ") Z") != 0;
}

CommandLine::CommandLine() {
  const fs::path bin = folder_.path() / "bin";
  fs::create_directories(bin);
  fs::create_directories(folder_.path() / "home");
  const fs::path built = REELFARM_BIN_DIR;
  // Copies: a program looks for its siblings beside the file that it was started from, whatever link led there.
  for (const char* name : {"reelfarm", "reelfarm-coordinator", "reelfarm-image"})
    fs::copy_file(built / name, bin / name);
  for (const char* name : {"reelfarm-worker", "reelfarm-stitcher"}) {
    fs::copy_file(built / "reelfarm-test-double", bin / name);
  }
  environment["HOME"] = (folder_.path() / "home").string();
  environment["PATH"] = "/usr/bin:/bin";
  // What a sanitizer build needs.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) environment[name] = value;
  }
}

Ended CommandLine::run(const std::vector<std::string>& words, std::chrono::seconds limit) {
  return start(words).wait(limit);
}

Running CommandLine::start(const std::vector<std::string>& words) {
  return start_program("reelfarm", words);
}

Running CommandLine::start_program(const std::string& name, const std::vector<std::string>& words) {
  std::vector<std::string> line = {(folder_.path() / "bin" / name).string()};
  line.insert(line.end(), words.begin(), words.end());
  return Running(line, environment, folder_.path());
}

fs::path CommandLine::write(const std::string& name, const std::string& content) const {
  std::ofstream(path(name), std::ios::binary) << content;
  return path(name);
}

}  // namespace reelfarm::test
