// What the simulation compares and checks.
#include <algorithm>
#include <cstdlib>

#include "tests/queue/simulation.hpp"

namespace reelfarm::queue::test {

void Simulation::compare() {
  std::vector<FencingToken> leased;
  std::size_t listed = 0;
  for (const JobRecord& record : store_.list_jobs()) {
    ++listed;
    const auto found = oracle_.jobs.find(record.id);
    ASSERT_NE(found, oracle_.jobs.end());
    const Oracle::Job& job = found->second;
    ASSERT_EQ(record.state, job.state) << record.id << " is " << to_string(record.state);
    ASSERT_EQ(record.closed, job.closed) << record.id;
    ASSERT_EQ(record.paused, job.paused);
    ASSERT_EQ(!record.hold.empty(), job.held);
    ASSERT_EQ(record.fingerprint, job.fingerprint);
    ASSERT_EQ(record.partial, job.partial);
    const std::vector<TaskRecord> tasks = store_.get_tasks(record.id);
    ASSERT_EQ(tasks.size(), job.tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) compare(tasks[i], job.tasks[i]);
    check_job(record, tasks);
    const std::vector<HostCrashes> hosts = store_.host_crashes(record.id);
    ASSERT_EQ(hosts.size(), job.host_crashes.size()) << record.id;
    for (const HostCrashes& host : hosts) ASSERT_EQ(host.crashes, job.host_crashes.at(host.host)) << record.id;
    for (const Oracle::Task& task : job.tasks) {
      if (task.state == TaskState::leased) leased.push_back(task.token);
    }
  }
  ASSERT_EQ(listed, oracle_.jobs.size());
  std::set<std::string> removing;
  for (const Removal& removal : store_.removals()) removing.insert(removal.job);
  ASSERT_EQ(removing, oracle_.removing);
  std::uint64_t reserved = 0;
  for (const auto& [id, job] : oracle_.jobs) reserved += Oracle::reserved(job);
  ASSERT_EQ(store_.reserved_bytes(), reserved);
  std::vector<FencingToken> held = store_.leases();
  const auto by_task = [](const FencingToken& a, const FencingToken& b) { return a.task < b.task; };
  std::sort(held.begin(), held.end(), by_task);
  std::sort(leased.begin(), leased.end(), by_task);
  ASSERT_EQ(held, leased);
  check_indexes();
  ASSERT_TRUE(store_.dead_letters().empty());
}

void Simulation::drain() {
  const std::vector<std::string> ids = jobs();
  for (const std::string& id : ids) {
    if (oracle_.jobs.at(id).state == JobState::submitted) accept(id);
    ASSERT_EQ(store_.resume(id).code, oracle_.resume(id));
    ASSERT_EQ(store_.allow_mix(id, true).code, oracle_.allow_mix(id, true));
  }
  ASSERT_EQ(store_.reap(steady_).requeued, oracle_.reap(std::llabs(drift_) < 1000 ? 0 : drift_).requeued);
  oracle_.disk_full = false;
  store_.report_disk({});
  oracle_.farm_paused = false;
  store_.resume_farm("x");
  for (int idle = 0; idle < 4;) {
    bool worked = false;
    for (const ClaimFilter& filter : filters_) {
      if (const auto token = claim_as(filter)) {
        finish(*token);
        worked = true;
      }
    }
    idle = worked ? 0 : idle + 1;
    if (!worked) {  // back-offs end, leases of owners that are no more run out
      move_clock(61'000, 61'000);
      ASSERT_EQ(store_.reap(steady_).requeued, oracle_.reap(0).requeued);
    }
  }
  compare();
  for (const auto& [id, job] : oracle_.jobs) {
    ASSERT_TRUE(is_terminal(job.state)) << id << " was left " << to_string(job.state);
    ASSERT_TRUE(job.closed) << id;
  }
  ASSERT_TRUE(store_.leases().empty());
}

void Simulation::compare(const TaskRecord& got, const Oracle::Task& expected) {
  const std::string& id = expected.spec.id;
  ASSERT_EQ(got.spec.id, id);
  ASSERT_EQ(to_string(got.state), to_string(expected.state)) << id;
  ASSERT_EQ(got.attempt, expected.token.attempt) << id;
  ASSERT_EQ(got.owner, expected.token.owner) << id;
  ASSERT_EQ(got.crashes, expected.crashes) << id;
  ASSERT_EQ(got.losses, expected.losses) << id;
  ASSERT_EQ(got.failures, expected.failures) << id;
  ASSERT_EQ(got.preemptions, expected.preemptions) << id;
  ASSERT_EQ(got.step_reached, expected.step_reached) << id;
  ASSERT_EQ(got.progress.step, expected.step) << id;
  ASSERT_EQ(got.tail.sha256, expected.tail) << id;
  ASSERT_EQ(got.partial, expected.partial) << id;
  ASSERT_EQ(got.window_limit, expected.window_limit) << id;
  const bool leased = expected.state == TaskState::leased;
  ASSERT_EQ(got.lease_expires.time_since_epoch().count(), leased ? expected.expires : 0) << id;
  if (expected.state == TaskState::ready) {
    ASSERT_EQ(got.not_before.time_since_epoch().count(), expected.not_before) << id;
  }
}

void Simulation::check_job(const JobRecord& job, const std::vector<TaskRecord>& tasks) {
  if (tasks.empty()) return;
  const TaskRecord& stitch = tasks.back();
  ASSERT_EQ(stitch.spec.kind, TaskKind::stitch);
  ASSERT_EQ(job.state == JobState::done, stitch.state == TaskState::done && !stitch.partial) << job.id;
  bool open = false;
  std::set<std::string> rejected;
  for (const Oracle::Task& task : oracle_.jobs.at(job.id).tasks) {
    if (task.rejected) rejected.insert(task.spec.id);
  }
  for (const TaskRecord& task : tasks) {
    open = open || !is_terminal(task.state);
    ASSERT_TRUE(job.state != JobState::done || task.state == TaskState::done) << task.spec.id;
    if (task.spec.kind == TaskKind::window && task.state != TaskState::waiting && task.state != TaskState::cancelled) {
      for (const Dependency& dependency : task.spec.depends) {
        const auto other =
            std::find_if(tasks.begin(), tasks.end(), [&](const TaskRecord& t) { return t.spec.id == dependency.task; });
        // What ran before its input was given up goes on; what has not begun waits.
        const bool given_up = rejected.contains(dependency.task) && task.state != TaskState::ready;
        ASSERT_TRUE(other->state == TaskState::done || other->tail_published || given_up)
            << task.spec.id << " ran too early";
      }
    }
  }
  ASSERT_EQ(job.closed, is_terminal(job.state) && !open) << job.id;
  done_jobs += job.state == JobState::done ? 1 : 0;
}

void Simulation::check_indexes() {
  std::map<std::string, int> places;
  for (const std::string& key : farm_.raw({"KEYS", farm_.keys().prefix() + "task:ready:*"})) {
    for (const std::string& id : farm_.raw({"ZRANGE", key, "0", "-1"})) ++places[id];
  }
  for (const std::string& id : farm_.raw({"ZRANGE", farm_.keys().delayed(), "0", "-1"})) ++places[id];
  for (const auto& [job_id, job] : oracle_.jobs) {
    for (const Oracle::Task& task : job.tasks) {
      const bool resting = task.spec.kind != TaskKind::stitch && (job.paused || job.held) && task.not_before == 0;
      const int expected = task.state == TaskState::ready && !resting ? 1 : 0;
      ASSERT_EQ(places[task.spec.id], expected) << task.spec.id << " " << to_string(task.state);
      places.erase(task.spec.id);
    }
  }
  ASSERT_TRUE(places.empty()) << places.begin()->first << " is nobody's";
}

}  // namespace reelfarm::queue::test
