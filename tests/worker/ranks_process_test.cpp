#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "worker/agent/deadlines.hpp"
#include "worker/agent/ranks_process.hpp"

namespace reelfarm::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A "launcher" that ignores "-n N": sh -c SCRIPT -n N PROGRAM ...
LaunchPlan shell(const std::string& script) {
  LaunchPlan plan;
  plan.launcher = {"sh", "-c", script};
  plan.program = "unused";
  return plan;
}

bool eventually(const std::function<bool()>& condition, milliseconds limit = seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

bool process_lives(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  return std::getline(stat, text) && text[text.rfind(')') + 2] != 'Z';
}

TEST(RanksProcess, ReportsTheLaunchersExitCode) {
  RanksProcess process(shell("exit 7"));
  ASSERT_TRUE(eventually([&] { return process.exit_code().has_value(); }));
  EXPECT_EQ(process.exit_code(), 7);
}

TEST(RanksProcess, PassesRanksProgramAndArguments) {
  const auto file = std::filesystem::temp_directory_path() / ("rf-args-" + std::to_string(::getpid()));
  LaunchPlan plan;
  plan.launcher = {"sh", "-c", "echo \"$0 $@\" > " + file.string()};
  plan.ranks = 3;
  plan.program = "/p";
  plan.arguments = {"--a", "b c"};
  RanksProcess process(plan);
  ASSERT_TRUE(eventually([&] { return process.exit_code().has_value(); }));
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  EXPECT_EQ(line, "-n 3 /p --a b c");
  std::filesystem::remove(file);
}

TEST(RanksProcess, KillsEveryProcessOfTheSessionEvenStoppedAndRegroupedOnes) {
  const auto file = std::filesystem::temp_directory_path() / ("rf-pids-" + std::to_string(::getpid()));
  std::filesystem::remove(file);
  // bash -m gives each background job a process group of its own, as mpirun does with its ranks.
  LaunchPlan plan = shell("");
  plan.launcher = {"bash", "-mc",
                   "sleep 300 & echo $! >> " + file.string() + "; sleep 300 & kill -STOP $!; echo $! >> " +
                       file.string() + "; wait"};
  RanksProcess process(plan);
  std::vector<pid_t> pids;
  ASSERT_TRUE(eventually([&] {
    pids.clear();
    std::ifstream stream(file);
    for (pid_t pid = 0; stream >> pid;) pids.push_back(pid);
    return pids.size() == 2;
  }));
  for (const pid_t pid : pids) EXPECT_TRUE(process_lives(pid));
  process.kill_all();
  for (const pid_t pid : pids) EXPECT_FALSE(process_lives(pid));
  EXPECT_EQ(process.exit_code(), 128 + SIGKILL);
  std::filesystem::remove(file);
}

TEST(RanksProcess, DiesWithTheProcessThatStartedIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    RanksProcess process(shell("exec sleep 300"));
    const pid_t session = process.session();
    [[maybe_unused]] const ssize_t written = ::write(ends[1], &session, sizeof session);
    ::kill(::getpid(), SIGKILL);
  }
  pid_t session = 0;
  ASSERT_EQ(::read(ends[0], &session, sizeof session), static_cast<ssize_t>(sizeof session));
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !process_lives(session); }));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(RanksProcess, AMissingLauncherIsNamed) {
  LaunchPlan plan;
  plan.launcher = {"no-such-launcher"};
  try {
    RanksProcess process(plan);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("no-such-launcher"), std::string::npos);
  }
}

TEST(PhaseDeadlines, LearnsFromTheLongestGapOfEachPhase) {
  PhaseDeadlines::Settings settings;
  settings.floor = seconds(2);
  settings.first = seconds(100);
  settings.margin = 8;
  PhaseDeadlines deadlines(settings);
  EXPECT_EQ(deadlines.deadline("step"), seconds(100));
  deadlines.observe("step", milliseconds(10));
  EXPECT_EQ(deadlines.deadline("step"), seconds(2));
  deadlines.observe("step", seconds(3));
  deadlines.observe("step", seconds(1));
  EXPECT_EQ(deadlines.deadline("step"), seconds(24));
  EXPECT_EQ(deadlines.deadline("decode"), seconds(100));
}

TEST(PhaseDeadlines, LoadingHasTimeForItsBytes) {
  PhaseDeadlines::Settings settings;
  settings.first = seconds(10);
  settings.load_bytes = 5'000'000'000;
  settings.slowest_storage = 50e6;
  EXPECT_EQ(PhaseDeadlines(settings).deadline("load"), seconds(110));
}

}  // namespace
}  // namespace reelfarm::worker
