#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/farm.hpp"
#include "tests/chaos/fault.hpp"
#include "tests/chaos/recovery.hpp"

namespace reelfarm::chaos {

/// What can fill the disk under DATA and make room again; empty where the disk is not ours to fill.
struct Disk {
  std::function<void()> fill;
  std::function<void()> make_room;
};

/// Does to a farm what the generator draws, at the time that it draws, and watches that dead groups are dead as a
/// whole.
class Injector {
 public:
  using Clock = Farm::Clock;

  Injector(Farm& farm, FaultGenerator generator, int faults, Disk disk, RecoveryTimes& recovery);
  /// Ends the faults that have not ended.
  ~Injector();
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  /// Ends faults whose time is over and begins the next one when it is due. To be called often.
  void tick();

  int done() const { return done_; }
  int left() const { return faults_ - done_; }
  int count(std::size_t kind) const { return counts_[kind]; }
  /// Nothing is stopped, delayed, black-holed or full now, and Redis is there.
  bool quiet() const { return endings_.empty(); }
  /// Asking it now would be waiting for ourselves.
  bool redis_is_away() const { return redis_is_away_; }
  /// Folders of windows that were damaged, relative to DATA.
  const std::set<std::filesystem::path>& damaged() const { return damaged_; }
  /// Promises broken while faults were at work.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Ending {
    Clock::time_point at;
    std::function<void()> end;
  };
  /// Processes that have to be gone, since one of their group is.
  struct Doomed {
    std::string fault;
    std::vector<Process> processes;
    Clock::time_point at;
    bool alone;  ///< no other fault was at work since
  };

  void draw();
  bool bearable();
  bool apply(const Fault& fault);
  bool apply_to_process(const Fault& fault, int group);
  bool apply_to_surroundings(const Fault& fault);
  void doom(const Fault& fault, int group);
  std::vector<queue::FencingToken> affected_leases(const Fault& fault, int group) const;
  std::optional<Process> victim(const Fault& fault, int group) const;
  void end_later(std::chrono::milliseconds after, std::function<void()> end);
  void watch_doomed();

  Farm& farm_;
  FaultGenerator generator_;
  int faults_;
  Disk disk_;
  RecoveryTimes& recovery_;
  std::optional<Fault> next_;
  Clock::time_point due_;
  std::vector<Ending> endings_;
  std::vector<Doomed> doomed_;
  std::array<int, kFaultKinds.size()> counts_{};
  int done_ = 0;
  bool redis_is_away_ = false;
  std::set<std::filesystem::path> damaged_;
  std::vector<std::string> complaints_;
};

}  // namespace reelfarm::chaos
