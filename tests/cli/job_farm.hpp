#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/cli/command_line.hpp"

namespace reelfarm::test {

/// One farm for all tests of a suite: real Redis and coordinator, doubles of worker and stitcher.
class JobFarm : public testing::Test {
 protected:
  static void SetUpTestSuite() { start_farm({}); }
  static void TearDownTestSuite();

  /// `more`: options of up; `prepare`: called before it starts.
  static void start_farm(const std::vector<std::string>& more, const std::function<void(CommandLine&)>& prepare = {});
  static std::filesystem::path data();
  static Ended run(const std::vector<std::string>& words);
  /// The object that `enqueue --json` with these options prints.
  static nlohmann::json enqueue(const std::vector<std::string>& more);
  static nlohmann::json status(const std::string& job);
  static nlohmann::json show(const std::string& job);
  static bool reaches(const std::string& job, const std::string& state);
  static std::size_t jobs_there();

  static CommandLine* line_;
};

/// The objects of a text with one a line.
std::vector<nlohmann::json> json_lines(const std::string& text);

}  // namespace reelfarm::test
