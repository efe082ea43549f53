#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace reelfarm::chaos {

/// kill: SIGKILL. stop: SIGSTOP, and SIGCONT after the fault's duration. hang: SIGSTOP for ever. The others happen to
/// the way between the farm and Redis (cut, delay, black_hole), to the disk under DATA (fill), to a published window on
/// it (damage) or to the clock that leases are counted by (jump: forward or back by the duration, and it stays there).
enum class Action { kill, stop, hang, cut, delay, black_hole, fill, damage, jump };

/// The launcher is mpirun. A group has an agent, its launcher and the launcher's ranks.
enum class Victim { rank, launcher, agent, stitcher, coordinator, redis, connections, disk, window, clock };

constexpr bool is_of_group(Victim victim) {
  return victim == Victim::rank || victim == Victim::launcher || victim == Victim::agent;
}

struct FaultKind {
  std::string_view name;
  Action action;
  Victim victim;
  std::chrono::milliseconds shortest{};  ///< of what is drawn as the fault's duration
  std::chrono::milliseconds longest{};
};

/// Every fault there is. The duration of a killed Redis is how long it stays away.
inline constexpr std::array<FaultKind, 19> kFaultKinds = {{
    {"kill rank", Action::kill, Victim::rank},
    {"kill mpirun", Action::kill, Victim::launcher},
    {"kill agent", Action::kill, Victim::agent},
    {"kill stitcher", Action::kill, Victim::stitcher},
    {"kill coordinator", Action::kill, Victim::coordinator},
    {"kill redis", Action::kill, Victim::redis, std::chrono::milliseconds(0), std::chrono::milliseconds(2000)},
    {"hang rank", Action::hang, Victim::rank},
    {"stop rank", Action::stop, Victim::rank, std::chrono::milliseconds(100), std::chrono::milliseconds(1000)},
    {"stop mpirun", Action::stop, Victim::launcher, std::chrono::milliseconds(200), std::chrono::milliseconds(4000)},
    {"stop agent", Action::stop, Victim::agent, std::chrono::milliseconds(200), std::chrono::milliseconds(8000)},
    {"stop stitcher", Action::stop, Victim::stitcher, std::chrono::milliseconds(200), std::chrono::milliseconds(8000)},
    {"stop coordinator", Action::stop, Victim::coordinator, std::chrono::milliseconds(200),
     std::chrono::milliseconds(4000)},
    {"stop redis", Action::stop, Victim::redis, std::chrono::milliseconds(100), std::chrono::milliseconds(2000)},
    {"cut connections", Action::cut, Victim::connections},
    {"delay bytes", Action::delay, Victim::connections, std::chrono::milliseconds(500),
     std::chrono::milliseconds(4000)},
    {"black hole", Action::black_hole, Victim::connections, std::chrono::milliseconds(200),
     std::chrono::milliseconds(5000)},
    {"damage window", Action::damage, Victim::window},
    {"clock jump", Action::jump, Victim::clock, std::chrono::milliseconds(2000), std::chrono::hours(2)},
    {"full disk", Action::fill, Victim::disk, std::chrono::milliseconds(200), std::chrono::milliseconds(3000)},
}};

/// One fault as drawn.
struct Fault {
  std::size_t kind = 0;  ///< index in kFaultKinds
  std::uint64_t group =
      0;  ///< modulo the number of groups: the one that is hit; what is left: which rank. Even: a jump forward
  std::chrono::milliseconds pause{};      ///< between the fault before and this one
  std::chrono::milliseconds duration{};   ///< of faults that end
  std::chrono::milliseconds byte_time{};  ///< of a delay: how much later every byte arrives

  const FaultKind& what() const { return kFaultKinds[kind]; }
};

/// An endless row of faults that is a function of the seed alone. Drawn like cards: no kind comes a second time before
/// each has come once, so that a short row has many kinds.
class FaultGenerator {
 public:
  /// `disk`: whether the disk may be filled.
  FaultGenerator(std::uint64_t seed, bool disk) : random_(seed), disk_(disk) {}

  Fault next();

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::chrono::milliseconds between(std::chrono::milliseconds shortest, std::chrono::milliseconds longest);

  std::mt19937_64 random_;  // the standard fixes its numbers; those of its distributions differ between libraries
  bool disk_;
  std::vector<std::size_t> deck_;
};

}  // namespace reelfarm::chaos
