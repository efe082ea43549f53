#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

namespace reelfarm::threads {

/// Work handed from threads to threads, in order.
template <typename Work>
class Belt {
 public:
  static constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();

  /// `room`: how much may wait.
  explicit Belt(std::size_t room = kEndless) : room_(room) {}

  /// Waits while there is no room. False when the belt is closed: nobody will take it.
  bool put(Work work) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || waiting_.size() < room_; });
    if (closed_) return false;
    waiting_.push_back(std::move(work));
    changed_.notify_all();
    return true;
  }

  /// Waits for work; empty when the belt is closed and drained.
  std::optional<Work> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return work;
  }

  /// What waits is still given out.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  /// Closes, and forgets what waits.
  void drop() {
    std::deque<Work> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
    changed_.notify_all();
  }

  /// Calls `visit` on everything that waits.
  template <typename Visit>
  void for_each(const Visit& visit) {
    const std::lock_guard lock(mutex_);
    for (const Work& work : waiting_) visit(work);
  }

 private:
  const std::size_t room_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool closed_ = false;
};

}  // namespace reelfarm::threads
