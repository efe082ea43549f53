#include <algorithm>

#include "cli/event_scan.hpp"
#include "cli/farm.hpp"
#include "cli/why/facts.hpp"

namespace reelfarm::cli {
namespace {

std::optional<queue::ServerTime> time_of_pause(const queue::JobStore& store, const queue::JobRecord& job) {
  std::optional<queue::ServerTime> when;
  scan_events(store.options(), job.accepted, [&](const queue::Event& event) {
    if (event.job == job.id && event.type == "paused") when = event.time;
  });
  return when;
}

}  // namespace

Facts gather_facts(queue::JobStore& store, const std::string& job) {
  Facts facts;
  facts.now = store.now();
  facts.job = require_job(store, job);
  facts.retry = store.options().retry;
  facts.tasks = store.get_tasks(job);
  if (facts.job.state == queue::JobState::done) return facts;
  if (!facts.job.spec.after.empty()) facts.after = store.get_job(facts.job.spec.after);
  if (facts.job.paused) facts.paused = time_of_pause(store, facts.job);
  facts.groups = store.list_groups();
  facts.disk = store.disk_state();
  facts.farm_pause = store.farm_pause();
  facts.host_crashes = store.host_crashes(job);
  facts.stitchers = store.list_stitchers();
  queue::JobQuery live;
  live.states = {queue::JobState::queued, queue::JobState::running};
  facts.others = store.list_jobs(live);
  std::erase_if(facts.others, [&](const queue::JobRecord& other) { return other.id == job; });
  return facts;
}

}  // namespace reelfarm::cli
