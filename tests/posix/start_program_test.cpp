#include "posix/start_program.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

namespace reelfarm::posix {
namespace {

/// What a shell script prints that is started so, and its process id before that.
std::string printed(const std::string& script, ProgramStart start = {}) {
  Pipe pipe = make_pipe();
  start.words = {"sh", "-c", script};
  start.streams[1] = pipe.writing.get();
  const pid_t child = start_program(std::move(start));
  pipe.writing = Descriptor();
  std::string text = std::to_string(child) + " ";
  std::array<char, 4096> piece{};
  for (ssize_t count; (count = ::read(pipe.reading.get(), piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << text;
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

// proc(5): /proc/PID/stat is pid (comm) state ppid pgrp session ...
constexpr const char* kGroupAndSession = "read -r _ _ _ _ group session _ < /proc/$$/stat; echo $$ $group $session";

TEST(StartProgram, ItsGroupAndSessionAreOursOrItsOwn) {
  const std::string group = std::to_string(::getpgrp());
  const std::string session = std::to_string(::getsid(0));
  const std::string as_we = printed(kGroupAndSession);
  const std::string pid = as_we.substr(0, as_we.find(' '));
  EXPECT_EQ(as_we, pid + " " + pid + " " + group + " " + session);
  const std::string apart = printed(kGroupAndSession, {.kinship = Kinship::own_group});
  const std::string leader = apart.substr(0, apart.find(' '));
  EXPECT_EQ(apart, leader + " " + leader + " " + leader + " " + session);
  const std::string away = printed(kGroupAndSession, {.kinship = Kinship::own_session});
  const std::string first = away.substr(0, away.find(' '));
  EXPECT_EQ(away, first + " " + first + " " + first + " " + first);
}

TEST(StartProgram, OfOtherDescriptorsItHasTheKeptOneAlone) {
  const Descriptor kept(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const Descriptor other(::open("/dev/zero", O_RDONLY));  // without O_CLOEXEC, as of a library
  const auto is_open = [](const Descriptor& descriptor) {
    const std::string number = std::to_string(descriptor.get());
    return "test -e /proc/$$/fd/" + number + " && echo " + number + " || echo no";
  };
  const std::string text = printed(is_open(kept) + ";" + is_open(other), {.kept = kept.get()});
  EXPECT_THAT(text, ::testing::EndsWith(" " + std::to_string(kept.get()) + "\nno"));
}

TEST(StartProgram, DefaultsAreForVariablesThatAreNotSet) {
  ASSERT_EQ(::setenv("REELFARM_TEST_SET", "ours", 1), 0);
  ASSERT_EQ(::unsetenv("REELFARM_TEST"), 0);
  const std::string text = printed("echo $REELFARM_TEST_SET $REELFARM_TEST",
                                   {.defaults = {"REELFARM_TEST=given", "REELFARM_TEST_SET=given"}});
  EXPECT_THAT(text, ::testing::EndsWith(" ours given"));
  EXPECT_EQ(::getenv("REELFARM_TEST"), nullptr) << "ours is as it was";
}

}  // namespace
}  // namespace reelfarm::posix
