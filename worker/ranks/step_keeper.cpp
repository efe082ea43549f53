#include "worker/ranks/step_keeper.hpp"

#include <exception>
#include <utility>

namespace reelfarm::worker {

StepKeeper::StepKeeper(int resumed_after, Save save)
    : save_(std::move(save)), kept_(resumed_after), thread_([this] { run(); }) {}

StepKeeper::~StepKeeper() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StepKeeper::put(const render::StepState& state) {
  Waiting next{state.steps_done, nn::HostCopy(state.latents)};
  {
    const std::lock_guard lock(mutex_);
    waiting_ = std::move(next);
  }
  changed_.notify_all();
}

int StepKeeper::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

void StepKeeper::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !saving_ && !waiting_; });
}

void StepKeeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closed_ || waiting_; });
    if (!waiting_) return;
    Waiting next = std::move(*waiting_);
    waiting_.reset();
    saving_ = true;
    lock.unlock();
    try {
      save_({next.steps_done, next.latents.wait()});
    } catch (const std::exception&) {
      // A device that has failed says so to the thread that denoises.
    }
    lock.lock();
    saving_ = false;
    kept_ = next.steps_done;
    changed_.notify_all();
  }
}

}  // namespace reelfarm::worker
