#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "pipeline/nn/host_copy.hpp"
#include "pipeline/render/renderer.hpp"

namespace reelfarm::worker {

/// Keeps what a window reaches on a thread of its own, so that the device need not wait for a disk between two steps.
/// Only the latest state is worth keeping: one that still waits gives way to the next.
class StepKeeper {
 public:
  /// Gets latents on the CPU. Must not throw.
  using Save = std::function<void(const render::StepState& state)>;

  /// `resumed_after`: the step that is kept already.
  StepKeeper(int resumed_after, Save save);
  /// Waits until what was put last is kept.
  ~StepKeeper();
  StepKeeper(const StepKeeper&) = delete;
  StepKeeper& operator=(const StepKeeper&) = delete;

  /// Returns at once; the copy to the CPU is queued behind the step itself. The latents must not be written to later.
  void put(const render::StepState& state);

  /// Steps done of the state that is on the disk (or that could not be written): what may be reported.
  int kept() const;

  /// Returns when everything that was put is kept, or has given way.
  void finish();

 private:
  struct Waiting {
    int steps_done;
    nn::HostCopy latents;
  };
  void run();

  Save save_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Waiting> waiting_;
  int kept_;
  bool saving_ = false;
  bool closed_ = false;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace reelfarm::worker
