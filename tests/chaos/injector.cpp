#include "tests/chaos/injector.hpp"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "queue/errors.hpp"
#include "tests/chaos/damage.hpp"

namespace reelfarm::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The farm gives up a task that crashes 5 times or is lost 10 times at one step, or fails 3 times in all. A row of
// faults that long would ask for what it promises not to do, so the next fault waits below that.
constexpr int kMostCrashes = 2;
constexpr int kMostLosses = 7;
constexpr int kMostFailures = 1;
constexpr seconds kWaitsForWork{2};
constexpr seconds kGroupDies{5};
constexpr seconds kGroupDiesAmongFaults{60};

bool kills_holder(const FaultKind& kind) {
  return kind.action == Action::hang ||
         (kind.action == Action::kill && (is_of_group(kind.victim) || kind.victim == Victim::stitcher));
}

bool on_surroundings(Victim victim) {
  return victim == Victim::connections || victim == Victim::disk || victim == Victim::window || victim == Victim::clock;
}

queue::ServerTime wall_clock() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

Injector::Injector(Farm& farm, FaultGenerator generator, int faults, Disk disk, RecoveryTimes& recovery)
    : farm_(farm), generator_(std::move(generator)), faults_(faults), disk_(std::move(disk)), recovery_(recovery) {
  draw();
}

Injector::~Injector() {
  for (const Ending& ending : endings_) ending.end();
}

void Injector::draw() {
  next_ = generator_.next();
  due_ = Clock::now() + next_->pause;
}

void Injector::tick() {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < endings_.size();) {
    if (now < endings_[i].at) {
      ++i;
      continue;
    }
    const auto end = std::move(endings_[i].end);
    endings_.erase(endings_.begin() + static_cast<std::ptrdiff_t>(i));
    end();
  }
  watch_doomed();
  if (left() == 0 || now < due_ || redis_is_away_ || !bearable() || !apply(*next_)) return;
  ++counts_[next_->kind];
  ++done_;
  draw();
}

/// Whether no task is near the point where the farm rightly gives it up. False while Redis does not answer.
bool Injector::bearable() {
  try {
    for (const queue::JobRecord& job : farm_.store().list_jobs({.states = {queue::JobState::running}})) {
      for (const queue::TaskRecord& task : farm_.store().get_tasks(job.id)) {
        if (is_terminal(task.state)) continue;
        if (task.crashes > kMostCrashes || task.losses > kMostLosses || task.failures > kMostFailures) return false;
      }
    }
    return true;
  } catch (const queue::ConnectionError&) {
    return false;
  }
}

std::optional<Process> Injector::victim(const Fault& fault, int group) const {
  switch (fault.what().victim) {
    case Victim::rank: {
      const auto ranks = farm_.ranks(group);
      if (ranks.empty()) return std::nullopt;
      return ranks[fault.group / static_cast<std::uint64_t>(farm_.groups()) % ranks.size()];
    }
    case Victim::launcher:
      return farm_.launcher(group);
    case Victim::agent:
      return farm_.agent(group);
    case Victim::stitcher:
      return farm_.stitcher();
    case Victim::coordinator:
      return farm_.coordinator();
    case Victim::redis:
      return farm_.redis();
    case Victim::connections:
    case Victim::disk:
    case Victim::window:
    case Victim::clock:
      break;
  }
  return std::nullopt;
}

/// False when the victim is not there or not at work: it is tried again.
bool Injector::apply(const Fault& fault) {
  const FaultKind& kind = fault.what();
  const int group = static_cast<int>(fault.group % static_cast<std::uint64_t>(farm_.groups()));
  const std::vector<queue::FencingToken> leases = affected_leases(fault, group);
  // Most faults hit work. Nobody waits for a rank that has nothing to do, so nobody would find out that it hangs.
  const bool patient = kind.action == Action::hang || Clock::now() < due_ + kWaitsForWork;
  if (leases.empty() && patient) return false;
  for (Doomed& doomed : doomed_) doomed.alone = false;
  const queue::ServerTime now = wall_clock();
  if (!(on_surroundings(kind.victim) ? apply_to_surroundings(fault) : apply_to_process(fault, group))) return false;
  for (const queue::FencingToken& lease : leases) {
    recovery_.hit(fault.kind, lease.task, lease.attempt, now, kills_holder(kind));
  }
  return true;
}

bool Injector::apply_to_surroundings(const Fault& fault) {
  if (fault.what().victim == Victim::disk) {
    disk_.fill();
    end_later(fault.duration, disk_.make_room);
  } else if (fault.what().victim == Victim::window) {
    const auto window = damage_a_window(farm_, fault.group);
    if (!window) return false;
    damaged_.insert(*window);
  } else if (fault.what().victim == Victim::clock) {
    farm_.shift_clock(fault.group % 2 == 0 ? fault.duration : -fault.duration);
  } else if (fault.what().action == Action::delay) {
    farm_.proxy().delay(fault.byte_time);
    end_later(fault.duration, [this] { farm_.proxy().delay(milliseconds(0)); });
  } else if (fault.what().action == Action::black_hole) {
    farm_.proxy().black_hole(true);
    end_later(fault.duration, [this] { farm_.proxy().black_hole(false); });
  } else {
    farm_.proxy().cut();
  }
  return true;
}

bool Injector::apply_to_process(const Fault& fault, int group) {
  const FaultKind& kind = fault.what();
  const auto process = victim(fault, group);
  if (!process) return false;
  if (kills_holder(kind) && is_of_group(kind.victim)) doom(fault, group);
  const bool redis = kind.victim == Victim::redis;
  redis_is_away_ = redis_is_away_ || redis;
  if (kind.action == Action::kill) {
    if (redis) {
      farm_.kill_redis();
      end_later(fault.duration, [this] { farm_.start_redis(), redis_is_away_ = false; });
    } else {
      send(*process, SIGKILL);
    }
    return true;
  }
  send(*process, SIGSTOP);
  if (kind.action == Action::stop) {
    end_later(fault.duration, [this, process = *process, redis] {
      send(process, SIGCONT);
      if (redis) redis_is_away_ = false;
    });
  }
  return true;
}

/// The rest of a group has to follow the one that dies.
void Injector::doom(const Fault& fault, int group) {
  Doomed doomed{std::string(fault.what().name), farm_.ranks(group), Clock::now(), quiet()};
  if (const auto launcher = farm_.launcher(group)) doomed.processes.push_back(*launcher);
  doomed_.push_back(std::move(doomed));
}

void Injector::end_later(milliseconds after, std::function<void()> end) {
  endings_.push_back({Clock::now() + after, std::move(end)});
}

/// Of the tasks that the fault holds up.
std::vector<queue::FencingToken> Injector::affected_leases(const Fault& fault, int group) const {
  const FaultKind& kind = fault.what();
  std::vector<queue::FencingToken> leases = farm_.store().leases();
  std::string owner;
  if (is_of_group(kind.victim)) {
    const auto agent = farm_.agent(group);
    for (const queue::GroupRecord& record : farm_.store().list_groups()) {
      if (agent && record.pid == agent->pid) owner = record.id;
    }
  }
  std::erase_if(leases, [&](const queue::FencingToken& lease) {
    if (is_of_group(kind.victim)) return lease.owner != owner;
    const bool of_stitching = kind.victim == Victim::stitcher || kind.victim == Victim::window;
    return lease.task.ends_with(".stitch") != of_stitching;
  });
  return leases;
}

void Injector::watch_doomed() {
  const auto now = Clock::now();
  std::erase_if(doomed_, [&](const Doomed& doomed) {
    const auto limit = doomed.alone && doomed.fault != "hang rank" ? kGroupDies : kGroupDiesAmongFaults;
    const auto alive = std::ranges::find_if(doomed.processes, is_alive);
    if (alive == doomed.processes.end()) return true;
    if (now - doomed.at < limit) return false;
    // An mpirun that is stopped and continued hands SIGCONT on to its ranks, so a rank that hung for ever does not.
    if (doomed.fault == "hang rank" && std::ranges::none_of(doomed.processes, is_stopped)) return true;
    complaints_.push_back(doomed.fault + ": still there after " + std::to_string(limit.count()) + " s: process " +
                          std::to_string(alive->pid) + ", " + command_line(*alive));
    return true;
  });
}

}  // namespace reelfarm::chaos
