#include "tests/e2e/farm.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

fs::path scratch(const std::string& name) {
  static std::atomic<int> count = 0;
  return fs::temp_directory_path() / ("rf-e2e-" + std::to_string(::getpid()) + "-" + name + std::to_string(count++));
}

Result shell(const std::string& command) {
  const fs::path out = scratch("out");
  const fs::path err = scratch("err");
  const std::string path = std::string("PATH=") + REELFARM_BIN_DIR + ":$PATH; ";
  const int status =
      std::system((path + command + " > " + out.string() + " 2> " + err.string() + " < /dev/null").c_str());
  Result result{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content(out), content(err)};
  fs::remove(out);
  fs::remove(err);
  return result;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

Farm::Farm(const fs::path& bundle, const std::string& options, const fs::path& data)
    : own_data_(data.empty()), data_(own_data_ ? scratch("data") : data) {
  const Result up = run("up --detach --device cpu --threads 1 --bundle " + bundle.string() + " " + options);
  EXPECT_EQ(up.exit_code, 0) << up.out << up.err;
}

Farm::~Farm() {
  const Result down = run("down");
  EXPECT_EQ(down.exit_code, 0) << down.out << down.err;
  EXPECT_TRUE(processes("reelfarm").empty()) << "a process of the farm outlived `reelfarm down`";
  if (testing::Test::HasFailure()) {
    std::printf("the farm's folder stays for a look: %s\n", data_.c_str());
  } else if (own_data_) {
    fs::remove_all(data_);
  }
}

Result Farm::run(const std::string& words) const {
  return shell("reelfarm " + words + " --data " + data_.string());
}

nlohmann::json Farm::json(const std::string& words) const {
  const Result result = run(words + " --json");
  EXPECT_EQ(result.exit_code, 0) << words << "\n" << result.out << result.err;
  const nlohmann::json parsed = nlohmann::json::parse(result.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << words << " printed: " << result.out;
  return parsed;
}

nlohmann::json Farm::status(const std::string& job) const {
  return json("status " + job);
}

bool Farm::reaches(const std::string& job, std::size_t window, int step) const {
  return eventually([&] {
    const nlohmann::json windows = status(job)["windows"];
    return windows.size() > window && windows[window]["state"] == "running" && windows[window]["step"] >= step;
  });
}

bool Farm::becomes(const std::string& job, const std::string& state) const {
  return eventually([&] { return status(job)["state"] == state; });
}

std::vector<pid_t> Farm::processes(const std::string& text) const {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    const std::string command = content(entry.path() / "cmdline");
    if (command.find(text) != std::string::npos && command.find(data_.string()) != std::string::npos)
      pids.push_back(pid);
  }
  return pids;
}

nlohmann::json probe(const fs::path& file) {
  const Result result =
      shell("ffprobe -v error -count_frames -select_streams v:0 -show_streams -of json " + file.string());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json parsed = nlohmann::json::parse(result.out, nullptr, false);
  return parsed.is_object() && !parsed["streams"].empty() ? parsed["streams"][0] : nlohmann::json::object();
}

}  // namespace reelfarm::e2e
