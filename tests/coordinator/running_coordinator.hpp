#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "coordinator/coordinator.hpp"

namespace reelfarm::test {

inline bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// A coordinator at work in a thread of this process.
class RunningCoordinator {
 public:
  explicit RunningCoordinator(coordinator::CoordinatorOptions options)
      : coordinator_(std::move(options)), thread_([this] { coordinator_.run(); }) {}
  ~RunningCoordinator() {
    coordinator_.stop();
    thread_.join();
  }

 private:
  coordinator::Coordinator coordinator_;
  std::thread thread_;
};

}  // namespace reelfarm::test
