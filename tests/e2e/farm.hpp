#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace reelfarm::e2e {

struct Result {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// A path in the folder for temporary files that nobody else has.
std::filesystem::path scratch(const std::string& name);

/// All bytes of a file; empty when it cannot be read.
std::string content(const std::filesystem::path& path);

/// Runs a shell command to its end. The first word may be a program of this build.
Result shell(const std::string& command);

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(120));

/// A detached farm on a folder of its own; taken down at destruction.
class Farm {
 public:
  /// `reelfarm up --detach` with these further options; fails the test when it does not come up.
  /// `data`: an existing folder to run on, which stays; without it one is made, and removed unless the test failed.
  explicit Farm(const std::filesystem::path& bundle, const std::string& options = "",
                const std::filesystem::path& data = {});
  ~Farm();
  Farm(const Farm&) = delete;
  Farm& operator=(const Farm&) = delete;

  const std::filesystem::path& data() const { return data_; }

  /// `reelfarm WORDS --data DATA`.
  Result run(const std::string& words) const;
  /// The same with --json, parsed. Fails the test on another exit code than 0.
  nlohmann::json json(const std::string& words) const;
  nlohmann::json status(const std::string& job) const;

  /// Whether window `window` of a job is being rendered and has finished that many steps, within the usual patience.
  bool reaches(const std::string& job, std::size_t window, int step) const;
  bool becomes(const std::string& job, const std::string& state) const;

  /// Pids of this farm's processes whose command line contains `text`.
  std::vector<pid_t> processes(const std::string& text) const;

 private:
  bool own_data_;
  std::filesystem::path data_;
};

/// What ffprobe says about a file's video stream; nb_read_frames by counting.
nlohmann::json probe(const std::filesystem::path& file);

}  // namespace reelfarm::e2e
