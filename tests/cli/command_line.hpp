#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/coordinator/farm_fixture.hpp"

namespace reelfarm::test {

/// How a program ended and what it printed.
struct Ended {
  int code = -1;  ///< 128 + signal when it was killed; -2: it did not end in time
  std::string output;
  std::string errors;
};

/// A program that runs in the background; its output goes to files.
class Running {
 public:
  Running(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
          const std::filesystem::path& folder);
  ~Running();
  Running(Running&& other) noexcept;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  std::string output() const;
  std::string errors() const;
  /// Waits for the end; kills it at the deadline.
  Ended wait(std::chrono::seconds limit = std::chrono::seconds(30));
  bool ended();

 private:
  pid_t pid_ = -1;
  int code_ = -1;
  std::filesystem::path output_;
  std::filesystem::path errors_;
};

/// True as soon as `condition` holds, false when it has not by the deadline.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(20));

/// True when the process exists (and is not a zombie).
bool process_exists(pid_t pid);

/// A folder with the real `reelfarm`, `reelfarm-coordinator` and `reelfarm-image`, and with doubles of the worker and
/// the stitcher; programs find their siblings beside them. Nothing of this machine's settings is seen by them.
class CommandLine {
 public:
  CommandLine();

  Ended run(const std::vector<std::string>& words, std::chrono::seconds limit = std::chrono::seconds(30));
  Running start(const std::vector<std::string>& words);
  Running start_program(const std::string& name, const std::vector<std::string>& words);

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::filesystem::path write(const std::string& name, const std::string& content) const;
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::map<std::string, std::string> environment;

 private:
  TemporaryFolder folder_;
};

}  // namespace reelfarm::test
