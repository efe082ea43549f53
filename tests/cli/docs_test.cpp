#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "tests/cli/command_line.hpp"

namespace reelfarm {
namespace {

using testing::HasSubstr;

std::string documentation() {
  std::ifstream file(std::string(REELFARM_SOURCE_DIR) + "/docs/cli.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Documentation, ItsTablesAreThoseOfTheProgram) {
  test::CommandLine line;
  const test::Ended tables = line.run({"help", "--markdown"});
  ASSERT_EQ(tables.code, 0);
  ASSERT_GT(tables.output.size(), 1000U);
  // After a change of options: reelfarm help --markdown, put behind the line "# Commands" of docs/cli.md.
  EXPECT_THAT(documentation(), HasSubstr("# Commands\n\n" + tables.output));
}

TEST(Documentation, EveryOptionInTheTableOfACommandIsInItsHelpAndTheOtherWayRound) {
  test::CommandLine line;
  std::istringstream text(documentation());
  const std::regex option(R"(^\| `(--[a-z-]+)[ `])");
  const std::regex heading(R"(^## ([a-z-]+( [a-z]+)?))");
  std::string command;
  std::string help;
  int rows = 0;
  int rows_of_command = 0;
  const auto count_in_help = [](const std::string& of) {
    int count = 0;
    for (std::size_t at = 0; (at = of.find("\n  --", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  for (std::string row; std::getline(text, row);) {
    std::smatch found;
    if (std::regex_search(row, found, heading)) {
      EXPECT_EQ(rows_of_command, count_in_help(help)) << command;
      command = found[1];
      rows_of_command = 0;
      const test::Ended ended = line.run({"help", command});
      EXPECT_EQ(ended.code, 0) << command;
      help = ended.output;
    } else if (std::regex_search(row, found, option)) {
      EXPECT_THAT(help, HasSubstr("  " + found[1].str())) << command;
      ++rows;
      ++rows_of_command;
    }
  }
  EXPECT_EQ(rows_of_command, count_in_help(help)) << command;
  EXPECT_GT(rows, 100);
}

TEST(Documentation, HelpOfACommandIsTheSameBothWays) {
  test::CommandLine line;
  EXPECT_EQ(line.run({"help", "enqueue"}).output, line.run({"enqueue", "--help"}).output);
  EXPECT_EQ(line.run({"help"}).output, line.run({"--help"}).output);
}

}  // namespace
}  // namespace reelfarm
