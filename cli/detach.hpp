#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "posix/descriptor.hpp"

namespace reelfarm::cli {

/// The way from a process in the background to the one in the terminal that waits for it.
class ReadyPipe {
 public:
  explicit ReadyPipe(posix::Descriptor end) : end_(std::move(end)) {}

  /// Says once how the start ended: exit code for the terminal and what to print there.
  void report(int code, const std::string& text);

 private:
  posix::Descriptor end_;
};

/// Splits off a process in a session of its own, with its stdout and stderr in `log`. Returns in that process; the one
/// in the terminal waits until the other reports, prints that, and exits here with the reported code.
ReadyPipe go_to_background(const std::filesystem::path& log);

}  // namespace reelfarm::cli
