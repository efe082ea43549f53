#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// What the rendering threads tell the agent. Thread-safe. Ticks that come faster than the agent needs them are
/// dropped, but never the first of a phase nor one that finishes a step.
class Reporter {
 public:
  /// `send` writes one message to the agent; called by one thread at a time.
  explicit Reporter(std::function<void(const Message&)> send) : send_(std::move(send)) {}

  void tick(const Tick& tick);
  void send(const Message& message);

 private:
  struct Last {
    std::string phase;
    int step = -1;
    std::chrono::steady_clock::time_point time;
  };

  std::function<void(const Message&)> send_;
  std::mutex mutex_;
  std::map<std::string, Last> last_;
};

}  // namespace reelfarm::worker
