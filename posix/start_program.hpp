#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "posix/descriptor.hpp"

namespace reelfarm::posix {

/// Both ends are closed in programs that are started.
struct Pipe {
  Descriptor reading;
  Descriptor writing;
};

/// Throws std::system_error.
Pipe make_pipe();

/// /dev/null, for what is to read nothing. Throws std::system_error.
Descriptor null_input();

/// What a program shares with the one that starts it: Ctrl-C in a terminal reaches the whole group, and a hang-up the
/// whole session.
enum class Kinship { same_group, own_group, own_session };

struct ProgramStart {
  static constexpr int kOurs = -1;

  std::vector<std::string> words{};  ///< the program, looked for in PATH when its name has no '/', and its arguments
  /// Descriptors that are to be its standard input, output and error.
  std::array<int, 3> streams{kOurs, kOurs, kOurs};
  Kinship kinship = Kinship::same_group;
  /// What the kernel sends it when the thread that started it dies; 0: nothing.
  int death_signal = SIGKILL;
  /// A descriptor that stays open in it besides the standard streams; -1: none.
  int kept = -1;
  /// "NAME=value", for variables that the environment does not have.
  std::vector<std::string> defaults{};
};

/// Starts a program, with no signal blocked or ignored. Returns when it is one, which the caller is to wait for. Throws
/// std::system_error when it cannot be started, with the system's reason.
pid_t start_program(ProgramStart start);

}  // namespace reelfarm::posix
