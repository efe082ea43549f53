#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "queue/task.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// A lease this group holds, and where the ranks are with it.
struct HeldTask {
  queue::Lease lease;
  std::string phase = "encode";
  std::chrono::steady_clock::time_point last_tick;
  std::chrono::steady_clock::time_point last_renewal;
  bool stopping = false;                  ///< the ranks were told to give it up
  bool lost = false;                      ///< the lease is another's now: nothing more is reported about it
  std::optional<queue::Artifact> tail{};  ///< as it was published

  /// Past its denoise steps: another window may start beside it.
  bool past_denoising() const { return phase == "decode" || phase == "write"; }
};

/// What the ranks must know to render a leased task. `data` is the farm's DATA folder, absolute.
/// Throws std::invalid_argument when the lease lacks an input that its window needs.
TaskOrder order_of(const queue::Lease& lease, const std::filesystem::path& data);

/// The same fields for the queue.
queue::Artifact artifact_of(const FileReference& file);

}  // namespace reelfarm::worker
