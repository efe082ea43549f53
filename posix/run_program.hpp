#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace reelfarm::posix {

/// Where a program's standard error goes: into Ended::errors, into Ended::output in the order in which both are
/// written, or where this program's own goes.
enum class ErrorStream { apart, with_output, inherited };

struct ProgramRun {
  std::vector<std::string> words{};  ///< the program, looked for in PATH when its name has no '/', and its arguments
  std::string input{};               ///< what it finds on its standard input
  ErrorStream errors = ErrorStream::apart;
  /// After it the program is killed, and what it has started with it: it is in a process group of its own then.
  /// Nothing: it may take as long as it likes, in the group of this program, so that Ctrl-C reaches both.
  std::optional<std::chrono::milliseconds> limit{};
  std::size_t keep = std::size_t{64} << 20;  ///< bytes of what it prints, of each stream; of more, the last
};

struct Ended {
  int exit_code = 0;    ///< 128 + signal when one ended it
  int signal = 0;       ///< 0: it ended by itself
  bool in_time = true;  ///< false: it and what it had started were killed at the limit
  std::string output{};
  std::string errors{};
};

/// Runs a program to its end and takes what it prints. It has no other descriptors than its standard streams, no signal
/// blocked or ignored, and dies with the calling thread. What it leaves running in
/// the background is not waited for, even when that holds the streams open. Throws std::system_error when the program
/// cannot be started, with the system's reason.
Ended run_program(const ProgramRun& run);

}  // namespace reelfarm::posix
