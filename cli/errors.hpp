#pragma once

#include <stdexcept>
#include <string>

#include "coordinator/errors.hpp"

namespace reelfarm::cli {

/// What scripts rely on.
enum ExitCode : int {
  kDone = 0,
  kInternalError = 1,
  kBadInput = 2,  ///< nothing was queued
  kFarmUnreachable = 3,
  kJobFailed = 4,
  kJobCancelled = 5,
  kInterrupted = 130,  ///< Ctrl-C while waiting: the job goes on
};

/// Ends the command: the text goes to stderr, the code to the shell.
class CommandError : public std::runtime_error {
 public:
  CommandError(int code, const std::string& text) : std::runtime_error(text), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

/// Ends the command with kBadInput.
using coordinator::BadInput;

class FarmUnreachable : public CommandError {
 public:
  explicit FarmUnreachable(const std::string& text) : CommandError(kFarmUnreachable, text) {}
};

}  // namespace reelfarm::cli
