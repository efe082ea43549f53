#include "posix/run_program.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

namespace reelfarm::posix {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Ended shell(const std::string& script, ProgramRun run = {}) {
  run.words = {"sh", "-c", script};
  return run_program(run);
}

TEST(RunProgram, TakesWhatItPrintsAndItsCode) {
  const Ended ended = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_TRUE(ended.in_time);
  EXPECT_EQ(ended.output, "out\n");
  EXPECT_EQ(ended.errors, "err\n");
}

TEST(RunProgram, BothStreamsMayBeOneInTheOrderOfWriting) {
  const Ended ended = shell("echo 1; echo 2 >&2; echo 3", {.errors = ErrorStream::with_output});
  EXPECT_EQ(ended.output, "1\n2\n3\n");
  EXPECT_THAT(ended.errors, IsEmpty());
}

TEST(RunProgram, ItsErrorsMayGoWhereOursGo) {
  testing::internal::CaptureStderr();
  const Ended ended = shell("echo out; echo err >&2", {.errors = ErrorStream::inherited});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "err\n");
  EXPECT_EQ(ended.output, "out\n");
  EXPECT_THAT(ended.errors, IsEmpty());
}

TEST(RunProgram, NeitherAFullPipeNorUnreadInputBlocks) {
  const Ended full = shell("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2");
  EXPECT_THAT(full.output, SizeIs(1'000'000));
  EXPECT_THAT(full.errors, SizeIs(1'000'000));
  EXPECT_EQ(shell("true", {.input = std::string(1'000'000, 'x')}).exit_code, 0);
  EXPECT_THAT(shell("wc -c", {.input = std::string(1'000'000, 'x')}).output, HasSubstr("1000000"));
}

TEST(RunProgram, OfTooMuchItKeepsTheEnd) {
  const Ended ended = shell("head -c 3000000 /dev/zero; printf end", {.keep = 10});
  EXPECT_EQ(ended.output, std::string(7, '\0') + "end");
}

TEST(RunProgram, SaysWhichSignalEndedIt) {
  const Ended ended = shell("kill -USR1 $$");
  EXPECT_EQ(ended.signal, SIGUSR1);
  EXPECT_EQ(ended.exit_code, 128 + SIGUSR1);
}

TEST(RunProgram, AtTheLimitItIsKilledWithWhatItStarted) {
  // The grandchild says its number; it is of the same process group, and does not outlive it.
  const Ended ended = shell("sleep 1000 & echo $!; wait", {.limit = milliseconds(300)});
  EXPECT_FALSE(ended.in_time);
  EXPECT_EQ(ended.signal, SIGKILL);
  const pid_t grandchild = std::stoi(ended.output);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto runs = [grandchild] {
    std::ifstream file("/proc/" + std::to_string(grandchild) + "/stat");
    std::string number, name, state;
    return file >> number >> name >> state && state != "Z";  // nobody may be there to reap it
  };
  while (runs() && std::chrono::steady_clock::now() < end) ::usleep(5000);
  EXPECT_FALSE(runs());
}

TEST(RunProgram, WhatItLeavesInTheBackgroundIsNotWaitedFor) {
  const Ended ended = shell("yes & echo $! >&2");
  EXPECT_EQ(ended.exit_code, 0);
  ::kill(std::stoi(ended.errors), SIGKILL);
}

TEST(RunProgram, IsToldWhyAProgramDidNotStart) {
  const auto code_of = [](const char* name) {
    try {
      run_program({.words = {name}});
    } catch (const std::system_error& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string("cannot start ") + name));
      return error.code().value();
    }
    return 0;
  };
  EXPECT_EQ(code_of("/nowhere/at-all"), ENOENT);
  EXPECT_EQ(code_of("no-such-program-in-PATH"), ENOENT);
  EXPECT_EQ(code_of("/etc/passwd"), EACCES);
}

TEST(RunProgram, OurBlockedAndIgnoredSignalsAreNotTheirs) {
  sigset_t before;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(shell("kill -TERM $$").signal, SIGTERM);
  EXPECT_EQ(shell("kill -PIPE $$").signal, SIGPIPE);
  ::signal(SIGPIPE, handler);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace reelfarm::posix
