#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "queue/task.hpp"

namespace reelfarm::worker {

/// Bytes that a task may write: its frames uncompressed and a quarter more, for its tail and the latents of its steps.
std::uint64_t bytes_of(const queue::TaskSpec& task);

/// Whether the file system of DATA has room. A task that failed for want of it is no failure of the task: the group
/// takes nothing until there is room for it again.
class DiskRoom {
 public:
  explicit DiskRoom(std::filesystem::path data) : data_(std::move(data)) {}

  /// Whether a task that writes `bytes` may have failed because the disk is full; the group then waits for that much.
  bool was_lacking(std::uint64_t bytes);

  /// What is waited for, in words; empty when nothing is.
  std::string complaint();

 private:
  std::uint64_t available() const;

  std::filesystem::path data_;
  std::uint64_t wanted_ = 0;
};

}  // namespace reelfarm::worker
