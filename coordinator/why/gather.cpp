#include <algorithm>

#include "coordinator/why/facts.hpp"
#include "queue/event_scan.hpp"

namespace reelfarm::why {
namespace {

std::optional<queue::ServerTime> time_of_pause(const queue::JobStore& store, const queue::JobRecord& job) {
  std::optional<queue::ServerTime> when;
  queue::scan_events(store.options(), job.accepted, [&](const queue::Event& event) {
    if (event.job == job.id && event.type == "paused") when = event.time;
  });
  return when;
}

}  // namespace

Facts gather_facts(queue::JobStore& store, const queue::JobRecord& job) {
  Facts facts;
  facts.now = store.now();
  facts.job = job;
  facts.retry = store.options().retry;
  facts.tasks = store.get_tasks(job.id);
  if (facts.job.state == queue::JobState::done) return facts;
  if (!facts.job.spec.after.empty()) facts.after = store.get_job(facts.job.spec.after);
  if (facts.job.paused) facts.paused = time_of_pause(store, facts.job);
  facts.groups = store.list_groups();
  facts.disk = store.disk_state();
  facts.farm_pause = store.farm_pause();
  facts.host_crashes = store.host_crashes(job.id);
  facts.stitchers = store.list_stitchers();
  queue::JobQuery live;
  live.states = {queue::JobState::queued, queue::JobState::running};
  facts.others = store.list_jobs(live);
  std::erase_if(facts.others, [&](const queue::JobRecord& other) { return other.id == job.id; });
  return facts;
}

}  // namespace reelfarm::why
