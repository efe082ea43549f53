#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "threads/belt.hpp"

namespace reelfarm::threads {

/// A thread of its own that does one piece of work after the other, in the order in which they come, while the caller
/// makes the next one. For one caller at a time.
template <typename Work>
class Conveyor {
 public:
  /// `room`: how many pieces may wait.
  explicit Conveyor(std::function<void(Work)> act, std::size_t room = Belt<Work>::kEndless)
      : act_(std::move(act)), belt_(room), thread_([this] { run(); }) {}

  /// Drops what is still waiting.
  ~Conveyor() {
    belt_.drop();
    if (thread_.joinable()) thread_.join();
  }
  Conveyor(const Conveyor&) = delete;
  Conveyor& operator=(const Conveyor&) = delete;

  /// Waits while there is no room. Throws what `act` has thrown, after which nothing more is done. Not after finish().
  void put(Work work) {
    if (!belt_.put(std::move(work)) && thrown_) std::rethrow_exception(thrown_);
  }

  /// Returns when all is done. Throws what `act` has thrown.
  void finish() {
    belt_.close();
    if (thread_.joinable()) thread_.join();
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  void run() {
    try {
      while (std::optional<Work> work = belt_.next()) act_(std::move(*work));
    } catch (...) {
      // Before the belt is closed: who finds it closed reads this.
      thrown_ = std::current_exception();
      belt_.drop();
    }
  }

  std::function<void(Work)> act_;
  Belt<Work> belt_;
  std::exception_ptr thrown_;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace reelfarm::threads
