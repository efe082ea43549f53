#include "worker/stitcher/lease_keeper.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace reelfarm::worker {

using std::chrono::milliseconds;

LeaseKeeper::LeaseKeeper(const queue::StoreOptions& options, queue::StitcherRecord self,
                         std::chrono::milliseconds longest_silence)
    : store_(options),
      self_(std::move(self)),
      interval_(std::clamp(options.lease / 3, milliseconds(50), milliseconds(5000))),
      longest_silence_(longest_silence),
      last_tick_(std::chrono::steady_clock::now()),
      thread_([this] { run(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  try {
    store_.remove_stitcher(self_.id);
  } catch (const queue::Error& error) {
    spdlog::warn("owner={} cannot sign off: {}", self_.id, error.what());
  }
}

LeaseKeeper::Held* LeaseKeeper::find(const queue::FencingToken& token) {
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return held.token == token; });
  return found == held_.end() ? nullptr : &*found;
}

void LeaseKeeper::hold(const queue::FencingToken& token) {
  const std::lock_guard lock(mutex_);
  held_.push_back({.token = token, .progress = {.phase = "wait"}});
}

void LeaseKeeper::drop(const queue::FencingToken& token) {
  const std::lock_guard lock(mutex_);
  std::erase_if(held_, [&](const Held& held) { return held.token == token; });
}

void LeaseKeeper::tick() {
  const std::lock_guard lock(mutex_);
  last_tick_ = std::chrono::steady_clock::now();
}

void LeaseKeeper::note(const std::string& text) {
  const std::lock_guard lock(mutex_);
  self_.note = text;
}

void LeaseKeeper::report(const queue::FencingToken& token, const queue::Progress& progress) {
  const std::lock_guard lock(mutex_);
  if (Held* held = find(token)) held->progress = progress;
}

bool LeaseKeeper::lost(const queue::FencingToken& token) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return held.token == token; });
  return found == held_.end() || found->lost;
}

void LeaseKeeper::renew_all() {
  std::vector<Held> held;
  queue::StitcherRecord self;
  {
    const std::lock_guard lock(mutex_);
    if (std::chrono::steady_clock::now() - last_tick_ > longest_silence_) return;
    held = held_;
    self = self_;
  }
  for (const Held& entry : held) {
    if (entry.lost) continue;
    const queue::ReplyCode reply = store_.tick(entry.token, entry.progress);
    if (reply != queue::ReplyCode::stale && reply != queue::ReplyCode::gone) continue;
    const std::lock_guard lock(mutex_);
    if (Held* current = find(entry.token)) {
      current->lost = true;
      spdlog::warn("task={} attempt={} lease lost: {}", entry.token.task, entry.token.attempt, to_string(reply));
    }
  }
  store_.heartbeat_stitcher(self);
}

void LeaseKeeper::run() {
  bool reachable = true;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    try {
      renew_all();
      if (!reachable) spdlog::info("the queue answers again");
      reachable = true;
    } catch (const queue::Error& error) {
      // The work goes on: the lease may outlast the outage, and the farm grants a full term when it comes back.
      if (reachable) spdlog::warn("cannot renew leases: {}", error.what());
      reachable = false;
    }
    lock.lock();
    wake_.wait_for(lock, interval_, [this] { return stopping_; });
  }
}

}  // namespace reelfarm::worker
