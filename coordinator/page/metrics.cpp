#include "coordinator/page/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <cmath>
#include <map>

namespace reelfarm::page {

using queue::GroupState;
using queue::JobState;

namespace {

constexpr std::chrono::seconds kRecount{60};
/// Claims whose end has not been seen; more than any farm has at once.
constexpr std::size_t kMaxOpenClaims = 100'000;

constexpr std::array kJobStates = {JobState::submitted, JobState::queued, JobState::running, JobState::paused,
                                   JobState::held,      JobState::done,   JobState::failed,  JobState::cancelled};
constexpr std::array kGroupStates = {GroupState::starting, GroupState::idle,   GroupState::busy,
                                     GroupState::draining, GroupState::failed, GroupState::gone};

/// 1 s to about 2 h 15 min, doubling.
prometheus::Histogram::BucketBoundaries window_seconds() {
  prometheus::Histogram::BucketBoundaries bounds;
  for (int doubling = 0; doubling < 14; ++doubling) bounds.push_back(std::ldexp(1.0, doubling));
  return bounds;
}

double seconds_of(queue::ServerTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

bool is_window(const std::string& task) {
  return task.find(".w") != std::string::npos;
}

}  // namespace

struct Metrics::Impl {
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Counters = prometheus::Family<prometheus::Counter>;
  Gauges& gauges(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Counters& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;
  Counters& events = counters("reelfarm_events_total", "State changes, by type");
  Counters& failures = counters("reelfarm_task_failures_total", "Failures of tasks, retried or not, by class");
  prometheus::Counter& windows_done = counters("reelfarm_windows_done_total", "Windows rendered").Add({});
  prometheus::Histogram& window_time = prometheus::BuildHistogram()
                                           .Name("reelfarm_window_seconds")
                                           .Help("From the claim of a window to its end")
                                           .Register(registry)
                                           .Add({}, window_seconds());
  Gauges& jobs = gauges("reelfarm_jobs", "Jobs, by state");
  Gauges& groups = gauges("reelfarm_groups", "Worker groups, by state");
  Gauges& stitchers = gauges("reelfarm_stitchers", "Stitchers, by state");
  prometheus::Gauge& leases = gauges("reelfarm_leases", "Tasks that somebody works at").Add({});
  prometheus::Gauge& dead_letters = gauges("reelfarm_dead_letters", "Records that could not be read").Add({});
  prometheus::Gauge& disk_free = gauges("reelfarm_disk_free_bytes", "Free on the disk of DATA").Add({});
  prometheus::Gauge& disk_capacity = gauges("reelfarm_disk_capacity_bytes", "Size of the disk of DATA").Add({});
  prometheus::Gauge& disk_full = gauges("reelfarm_disk_full", "1 above the high-water mark").Add({});
  prometheus::Gauge& farm_paused = gauges("reelfarm_farm_paused", "1 while the whole farm is paused").Add({});
  prometheus::Gauge& reserved = gauges("reelfarm_disk_reserved_bytes", "That accepted jobs may still write").Add({});
  prometheus::Gauge& last_event = gauges("reelfarm_last_event_timestamp_seconds", "When a task last advanced").Add({});
  prometheus::Gauge& sampled = gauges("reelfarm_sample_timestamp_seconds", "When the farm was last read").Add({});

  std::map<std::string, JobState> states;
  std::map<std::string, queue::ServerTime> claims;  ///< task -> when it was claimed
  std::chrono::steady_clock::time_point recounted{};
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  // All states from the beginning: an alert on a series that is not there never fires.
  for (const JobState state : kJobStates) impl_->jobs.Add({{"state", std::string(to_string(state))}});
  for (const GroupState state : kGroupStates) impl_->groups.Add({{"state", std::string(to_string(state))}});
  for (const char* state : {"there", "gone"}) impl_->stitchers.Add({{"state", state}});
}

Metrics::~Metrics() = default;

void Metrics::see(const queue::Event& event) {
  Impl& my = *impl_;
  my.events.Add({{"type", event.type}}).Increment();
  if (!event.error_class.empty()) my.failures.Add({{"class", event.error_class}}).Increment();
  if (event.task.empty()) {
    try {
      if (!event.job.empty() && !event.state.empty()) my.states[event.job] = queue::job_state_from(event.state);
    } catch (const queue::CodecError&) {
      // A state of a later version: the recount will say.
    }
    return;
  }
  my.last_event.Set(seconds_of(event.time));
  if (event.type == "claimed") {
    if (const auto job = my.states.find(event.job); job != my.states.end() && job->second == JobState::queued) {
      job->second = JobState::running;
    }
    if (is_window(event.task) && my.claims.size() < kMaxOpenClaims) my.claims[event.task] = event.time;
  } else if (event.type == "done" && is_window(event.task)) {
    my.windows_done.Increment();
    if (const auto claim = my.claims.find(event.task); claim != my.claims.end()) {
      my.window_time.Observe(std::chrono::duration<double>(event.time - claim->second).count());
      my.claims.erase(claim);
    }
  } else if (event.type != "step" && event.type != "tail" && event.type != "ready") {
    my.claims.erase(event.task);
  }
}

void Metrics::sample(queue::JobStore& store) {
  Impl& my = *impl_;
  const auto now = std::chrono::steady_clock::now();
  if (my.recounted == std::chrono::steady_clock::time_point() || now - my.recounted >= kRecount) {
    my.recounted = now;
    my.states = store.job_states();
    constexpr int kMaxLetters = 1000;
    my.dead_letters.Set(static_cast<double>(store.dead_letters(kMaxLetters).size()));
    my.reserved.Set(static_cast<double>(store.reserved_bytes()));
  }
  std::map<JobState, int> jobs;
  for (const auto& [job, state] : my.states) ++jobs[state];
  for (const JobState state : kJobStates) my.jobs.Add({{"state", std::string(to_string(state))}}).Set(jobs[state]);
  std::map<GroupState, int> groups;
  for (const queue::GroupRecord& group : store.list_groups()) ++groups[group.state];
  for (const GroupState state : kGroupStates) {
    my.groups.Add({{"state", std::string(to_string(state))}}).Set(groups[state]);
  }
  int gone = 0;
  const auto stitchers = store.list_stitchers();
  for (const queue::StitcherRecord& stitcher : stitchers) gone += stitcher.gone ? 1 : 0;
  my.stitchers.Add({{"state", "there"}}).Set(static_cast<double>(stitchers.size()) - gone);
  my.stitchers.Add({{"state", "gone"}}).Set(gone);
  my.leases.Set(static_cast<double>(store.leases().size()));
  if (const auto disk = store.disk_state()) {
    my.disk_free.Set(static_cast<double>(disk->free));
    my.disk_capacity.Set(static_cast<double>(disk->capacity));
    my.disk_full.Set(disk->full ? 1 : 0);
  }
  my.farm_paused.Set(store.farm_pause() ? 1 : 0);
  my.sampled.Set(seconds_of(store.now()));
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serializer::Serialize(impl_->registry.Collect());
}

}  // namespace reelfarm::page
