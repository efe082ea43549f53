#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace reelfarm::render {

/// A lock that threads get in the order in which they asked for it: whoever comes back at once does not overtake.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns& turns) : turns_(turns) {
      std::unique_lock lock(turns.mutex_);
      const std::uint64_t own = turns.given_++;
      turns.changed_.wait(lock, [&] { return turns.serving_ == own; });
    }
    ~Turn() {
      const std::lock_guard lock(turns_.mutex_);
      ++turns_.serving_;
      turns_.changed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Turns& turns_;
  };

  /// Threads that have asked and are not in.
  std::uint64_t waiting() {
    const std::lock_guard lock(mutex_);
    return given_ > serving_ ? given_ - serving_ - 1 : 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t given_ = 0;
  std::uint64_t serving_ = 0;
};

}  // namespace reelfarm::render
