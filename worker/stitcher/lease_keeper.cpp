#include "worker/stitcher/lease_keeper.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace reelfarm::worker {

LeaseKeeper::LeaseKeeper(const queue::StoreOptions& options, std::chrono::milliseconds longest_silence)
    : store_(options),
      interval_(std::max(options.lease / 3, std::chrono::milliseconds(50))),
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
  {
    const std::lock_guard lock(mutex_);
    if (std::chrono::steady_clock::now() - last_tick_ > longest_silence_) return;
    held = held_;
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
}

void LeaseKeeper::run() {
  bool reachable = true;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
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
  }
}

}  // namespace reelfarm::worker
