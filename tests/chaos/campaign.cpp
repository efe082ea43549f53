#include "tests/chaos/campaign.hpp"

#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "pipeline/artifacts/errors.hpp"
#include "queue/errors.hpp"
#include "tests/chaos/hang_report.hpp"

namespace reelfarm::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn{5};
constexpr milliseconds kLookAtJobs{100};
constexpr seconds kStops{60};
constexpr seconds kLeasesEnd{30};

}  // namespace

Campaign::Campaign(CampaignOptions options, const Disk& disk)
    : options_(std::move(options)),
      farm_(options_.farm),
      injector_(farm_, FaultGenerator(options_.seed, static_cast<bool>(disk.fill)), options_.faults, disk, recovery_) {}

Outcome Campaign::run() {
  render_undisturbed();
  render_among_faults();
  finish();
  outcome_.tasks = ledger_.done_tasks();
  outcome_.doubled = ledger_.doubled();
  for (const std::string& twice : outcome_.doubled) complain(twice);
  if (ledger_.given_up() > static_cast<int>(injector_.damaged().size())) {
    complain(std::to_string(ledger_.given_up()) + " windows were given up, " +
             std::to_string(injector_.damaged().size()) + " were damaged");
  }
  for (const std::string& broken : injector_.complaints()) complain(broken);
  outcome_.took = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
  return outcome_;
}

void Campaign::complain(const std::string& text) {
  std::cout << "WRONG: " << text << std::endl;
  outcome_.complaints.push_back(text);
}

void Campaign::render_undisturbed() {
  Round round(farm_, options_.jobs);
  while (!round.over(farm_)) {
    farm_.tend();
    follow_events();
    if (hangs(round)) throw std::runtime_error("the undisturbed jobs do not end");
    std::this_thread::sleep_for(kTurn);
  }
  for (const auto& [seed, job] : round.jobs()) {
    for (const std::string& complaint : complaints_about(farm_, job, {})) {
      throw std::runtime_error("without any fault: " + complaint);
    }
    videos_[seed] = video_of(farm_, job);
    remove_files(farm_, job);
  }
}

void Campaign::render_among_faults() {
  std::optional<Round> round;
  auto next_look = Clock::now();
  while (!hung_) {
    farm_.tend();
    injector_.tick();
    std::this_thread::sleep_for(kTurn);
    if (injector_.redis_is_away() || Clock::now() < next_look) continue;
    next_look = Clock::now() + kLookAtJobs;
    try {
      follow_events();
      if (!round) {
        if (injector_.left() == 0 && injector_.quiet()) break;
        if (injector_.left() == 0) continue;
        round.emplace(farm_, options_.jobs);
      } else if (round->over(farm_)) {
        judge(*round);
        round.reset();
      } else {
        hung_ = hangs(*round);
      }
    } catch (const queue::ConnectionError&) {
      // A Redis that has just come back: the next look will tell.
      events_.reset();
    }
  }
}

void Campaign::follow_events() {
  if (!events_) events_.emplace(farm_.direct(), last_event_);
  for (const queue::Event& event : events_->read(milliseconds(0), 10000)) {
    last_event_ = event.id;
    last_sign_ = Clock::now();
    ledger_.take(event);
    recovery_.take(event);
  }
}

void Campaign::judge(const Round& round) {
  for (const auto& [seed, job] : round.jobs()) {
    ++outcome_.jobs;
    const auto complaints = complaints_about(farm_, job, injector_.damaged());
    for (const std::string& complaint : complaints) complain(complaint);
    const auto record = farm_.store().get_job(job);
    if (!record || record->state != queue::JobState::done) {
      ++outcome_.lost;
      continue;
    }
    if (video_of(farm_, job) != videos_[seed]) {
      ++outcome_.different;
      complain(job + ": " + record->output + " differs from the undisturbed video of seed " + std::to_string(seed));
    }
    if (complaints.empty()) remove_files(farm_, job);
  }
}

/// Whether the farm has stood still for too long; says so, once.
bool Campaign::hangs(const Round& round) {
  const auto now = Clock::now();
  if (now - last_sign_ < options_.patience && now - began_ < options_.limit) return false;
  const bool still = now - last_sign_ >= options_.patience;
  complain(still ? "nothing has happened for " + std::to_string(options_.patience.count()) + " s"
                 : "not over after " + std::to_string(options_.limit.count()) + " s");
  for (const std::string& job : round.open()) {
    ++outcome_.jobs;
    ++outcome_.lost;
    complain(job + " has not ended");
  }
  report_hang(farm_, round.open());
  return true;
}

/// No lease is left, and nothing runs when the farm has been told to stop.
void Campaign::finish() {
  const auto deadline = Clock::now() + kLeasesEnd;
  std::vector<queue::FencingToken> leases;
  do {
    farm_.tend();
    injector_.tick();
    follow_events();
    leases = farm_.store().leases();
    std::this_thread::sleep_for(kTurn);
  } while (!leases.empty() && !hung_ && Clock::now() < deadline);
  if (hung_) leases.clear();  // The jobs that have not ended are reported already.
  for (const queue::FencingToken& lease : leases) complain(lease.task + " is still leased by " + lease.owner);
  for (const queue::DeadLetter& letter : farm_.store().dead_letters()) {
    complain("dead letter: " + letter.kind + " " + letter.subject + ": " + letter.reason);
  }
  for (const Process& left : farm_.stop(kStops)) {
    complain("process " + std::to_string(left.pid) + " outlived its farm: " + command_line(left));
  }
}

}  // namespace reelfarm::chaos
