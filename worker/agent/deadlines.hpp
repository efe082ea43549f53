#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace reelfarm::worker {

/// How long a group may go without a tick in each phase before it counts as hung: learnt from the group's own history.
/// A deadline is `margin` times the longest gap seen in that phase, and never below `floor`; a phase without history
/// has `first`. Loading gets extra time for its bytes, since storage may be cold.
class PhaseDeadlines {
 public:
  using Duration = std::chrono::steady_clock::duration;

  struct Settings {
    Duration floor = std::chrono::seconds(20);
    Duration first = std::chrono::seconds(300);
    double margin = 8;
    /// Bytes of the bundle, and the slowest storage (bytes a second) that is still waited for.
    std::uint64_t load_bytes = 0;
    double slowest_storage = 50e6;
  };

  explicit PhaseDeadlines(Settings settings) : settings_(settings) {}

  /// A tick came `gap` after the one before it, in this phase.
  void observe(const std::string& phase, Duration gap);
  Duration deadline(const std::string& phase) const;

 private:
  Settings settings_;
  std::map<std::string, Duration> longest_;
};

}  // namespace reelfarm::worker
