// Thousands of random transitions by several owners on a stopped clock; after each the store must stand where the
// oracle stands, and what must always hold must hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <span>

#include "tests/queue/oracle.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;

constexpr int kCompareEvery = 3;  ///< answers are compared at every step, all that can be read at every third

int steps_to_take() {
  const char* wanted = std::getenv("REELFARM_PROPERTY_STEPS");
  return wanted ? std::atoi(wanted) : 3000;
}

std::uint64_t first_seed() {
  const char* wanted = std::getenv("REELFARM_PROPERTY_SEED");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 1;
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), store_((set_options(farm_.options), farm_.make_store())), oracle_(farm_.options) {
    oracle_.now = 1'800'000'000'000;
    move_clock(0, 0);
    store_.reap(steady_);
  }

  /// One random transition, checked. Returns its description.
  std::string step() {
    const int dice = pick(100);
    if (dice < 6) return submit();
    if (dice < 14) return decide();
    if (dice < 38) return claim();
    if (dice < 76) return use_token();
    if (dice < 88) return change();
    if (dice < 91) return announce();
    return pass_time();
  }

  /// The store and the oracle agree on everything that can be read.
  void compare() {
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

  /// Lets everything that can still happen happen: nothing may be left lying.
  void drain() {
    std::vector<std::string> ids;
    for (const auto& [id, job] : oracle_.jobs) ids.push_back(id);
    for (const std::string& id : ids) {
      if (oracle_.jobs.at(id).state == JobState::submitted) accept(id);
      ASSERT_EQ(store_.resume(id).code, oracle_.resume(id));
      ASSERT_EQ(store_.allow_mix(id, true).code, oracle_.allow_mix(id, true));
    }
    ASSERT_EQ(store_.reap(steady_).requeued, oracle_.reap(std::llabs(drift_) < 1000 ? 0 : drift_).requeued);
    oracle_.disk_full = false;
    store_.report_disk({});
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

  int claims = 0;
  int refusals = 0;
  int poisoned = 0;
  int done_jobs = 0;

 private:
  static void set_options(StoreOptions& options) {
    options.retry = {
        .max_crashes = 3, .max_failures = 3, .backoff_base = milliseconds(1000), .backoff_cap = milliseconds(5000)};
  }

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool chance(int percent) { return pick(100) < percent; }

  std::string random_job() {
    if (oracle_.jobs.empty() || chance(2)) return make_job_id();
    auto place = oracle_.jobs.begin();
    std::advance(place, pick(static_cast<int>(oracle_.jobs.size())));
    return place->first;
  }

  std::string submit() {
    if (oracle_.jobs.size() >= 14) return forget_one();
    JobSpec spec = make_spec("p", pick(3) - 1);
    const std::string job = store_.submit(spec).job;
    oracle_.submit(job, ++sequence_);
    return "submit " + job;
  }

  std::string forget_one() {
    for (const auto& [id, job] : oracle_.jobs) {
      if (!job.closed) continue;
      const std::string name = id;
      expect(store_.forget(name).code, oracle_.forget(name));
      return "forget " + name;
    }
    const std::string job = random_job();
    expect(store_.cancel(job).code, oracle_.cancel(job));
    return "cancel to make room " + job;
  }

  void accept(const std::string& id) {
    JobSpec spec = make_spec("p", pick(3) - 1);
    if (chance(25)) spec.after = random_job();
    if (spec.after == id) spec.after.clear();
    if (chance(40)) spec.dtype = std::vector<std::string>{"auto", "fp32", "bf16"}[static_cast<std::size_t>(pick(3))];
    Plan plan = make_plan(id, spec, 1 + pick(4), chance(30));
    if (chance(30)) {  // windows in series without tails
      for (TaskSpec& task : plan.tasks) {
        for (Dependency& dependency : task.depends) dependency.on = DependencyOn::done;
      }
    }
    if (chance(30)) {  // all windows at once, as with key frames
      for (TaskSpec& task : plan.tasks) {
        if (task.kind == TaskKind::window) task.depends.clear();
      }
    }
    plan.bytes_needed = static_cast<std::uint64_t>(pick(1000));
    if (chance(20)) finish_some(plan);
    const bool accepted = store_.accept(id, plan);
    const auto found = oracle_.jobs.find(id);
    EXPECT_EQ(accepted, found != oracle_.jobs.end() && oracle_.accept(id, plan));
  }

  /// Some of the plan, or all of it, lies on the disk already.
  void finish_some(Plan& plan) {
    plan.fingerprint = chance(50) ? "fp-a" : "fp-b";
    const int count = 1 + pick(static_cast<int>(plan.tasks.size()));
    for (const TaskSpec& task : std::span(plan.tasks).first(static_cast<std::size_t>(count))) {
      FinishReport report = make_report(task.id);
      if (task.kind == TaskKind::window && chance(80)) report.tail = make_artifact("tail-" + task.id);
      plan.finished.emplace(task.id, report);
    }
  }

  std::string decide() {
    std::vector<std::string> inbox;
    for (const auto& [id, job] : oracle_.jobs) {
      if (job.state == JobState::submitted) inbox.push_back(id);
    }
    if (inbox.empty() || chance(10)) {
      const std::string job = random_job();
      accept(job);
      return "accept again " + job;
    }
    const std::string job = inbox[static_cast<std::size_t>(pick(static_cast<int>(inbox.size())))];
    if (chance(10)) {
      EXPECT_TRUE(store_.reject(job, "no"));
      oracle_.reject(job);
      return "reject " + job;
    }
    accept(job);
    return "accept " + job;
  }

  std::optional<FencingToken> claim_as(const ClaimFilter& filter) {
    const Oracle::Task* expected = oracle_.next(filter);
    const std::string wanted = expected ? expected->spec.id : "nothing";
    const std::int64_t attempt = expected ? expected->token.attempt + 1 : 0;
    const std::optional<Lease> lease = store_.claim(filter);
    EXPECT_EQ(lease ? lease->token.task : "nothing", wanted) << "claim by " << filter.owner;
    if (!lease || !expected) return std::nullopt;
    EXPECT_EQ(lease->token.attempt, attempt) << "attempts go up by one";
    oracle_.grant(lease->token, filter);
    tokens_.push_back(lease->token);
    ++claims;
    return lease->token;
  }

  std::string claim() {
    ClaimFilter filter = filters_[static_cast<std::size_t>(pick(static_cast<int>(filters_.size())))];
    if (chance(20) && filter.kinds.size() > 1) filter.kinds = {chance(50) ? TaskKind::image : TaskKind::window};
    const auto token = claim_as(filter);
    return "claim by " + filter.owner + ": " + (token ? token->task : "nothing");
  }

  void finish(const FencingToken& token) {
    FinishReport report = make_report(token.task);
    if (token.task.find(".w") != std::string::npos) report.tail = make_artifact("tail-" + token.task);
    std::optional<ReplyCode> code;
    try {
      code = store_.finish(token, report);
    } catch (const TransitionError&) {
    }
    expect(code, oracle_.finish(token, report));
  }

  /// Any verb with any token there ever was, mostly a recent one, sometimes a forged one.
  std::string use_token() {
    if (tokens_.empty()) return "no token";
    const int recent = static_cast<int>(std::min<std::size_t>(tokens_.size(), chance(80) ? 8 : 200));
    FencingToken token = tokens_[tokens_.size() - 1 - static_cast<std::size_t>(pick(recent))];
    if (chance(5)) token.nonce = "forged";
    if (chance(3)) token.owner = "g9";
    const std::string name = token.task + " attempt " + std::to_string(token.attempt);
    switch (pick(12)) {
      case 0:
        expect(store_.renew(token), oracle_.renew(token));
        return "renew " + name;
      case 1:
      case 2:
      case 3: {
        const int at = pick(5);
        expect(store_.tick(token, {"step", at, 4, 0}), oracle_.tick(token, at));
        return "tick " + name;
      }
      case 4:
      case 5: {
        const Artifact artifact = make_artifact(chance(90) ? "tail-" + token.task : "other");
        std::optional<ReplyCode> code;
        try {
          code = store_.tail(token, artifact);
        } catch (const TransitionError&) {
        }
        expect(code, oracle_.tail(token, artifact.sha256));
        return "tail " + name;
      }
      case 6: {
        const auto failure = static_cast<FailureClass>(chance(10) ? 0 : 1 + pick(6));
        expect(store_.fail(token, failure, "x"), oracle_.fail(token, failure));
        return "fail " + name + " " + std::string(to_string(failure));
      }
      case 7: {
        const bool preempted = chance(50);
        const int delay = chance(30) ? pick(3000) : 0;
        expect(store_.release(token, "x", preempted, milliseconds(delay)), oracle_.release(token, preempted, delay));
        return "release " + name;
      }
      default:
        finish(token);
        return "finish " + name;
    }
  }

  std::string measure_disk() {
    oracle_.disk_full = chance(25);
    store_.report_disk({.full = oracle_.disk_full, .free = 1, .capacity = 2, .high_water = 95});
    return oracle_.disk_full ? "disk full" : "disk has room";
  }

  /// A group shows itself, or that it drains; or the disk is measured.
  std::string announce() {
    if (chance(25)) return measure_disk();
    const ClaimFilter& filter = filters_[static_cast<std::size_t>(pick(3))];
    GroupRecord group = group_of(filter);
    group.state = chance(80) ? GroupState::idle : GroupState::draining;
    store_.register_group(group);
    oracle_.register_group(group);
    return std::string(to_string(group.state)) + " " + group.id;
  }

  std::string change() {
    const std::string job = random_job();
    switch (pick(10)) {
      case 0:
        expect(store_.cancel(job).code, oracle_.cancel(job));
        return "cancel " + job;
      case 1:
      case 2:
        expect(store_.pause(job).code, oracle_.pause(job));
        return "pause " + job;
      case 3:
      case 4:
        expect(store_.resume(job).code, oracle_.resume(job));
        return "resume " + job;
      case 5:
      case 6:
        expect(store_.retry(job).code, oracle_.retry(job));
        return "retry " + job;
      case 7: {
        const int priority = pick(3) - 1;
        expect(store_.set_priority(job, priority).code, oracle_.set_priority(job, priority));
        return "priority " + job;
      }
      case 8: {
        const bool allow = chance(50);
        expect(store_.allow_mix(job, allow).code, oracle_.allow_mix(job, allow));
        return "mix " + job;
      }
      default:
        expect(store_.forget(job).code, oracle_.forget(job));
        return "forget " + job;
    }
  }

  void move_clock(std::int64_t server_ms, std::int64_t steady_ms) {
    oracle_.now += server_ms;
    steady_ += milliseconds(steady_ms);
    farm_.stop_clock_at(ServerTime(milliseconds(oracle_.now)));
    drift_ += server_ms - steady_ms;
  }

  std::string pass_time() {
    const int time = pick(8000);
    move_clock(time, time);
    if (chance(5)) move_clock((chance(50) ? 1 : -1) * (2000 + pick(3'600'000)), 0);  // the server's clock alone
    if (chance(60)) {
      const ReapResult result = store_.reap(steady_);
      const ReapResult expected = oracle_.reap(std::llabs(drift_) < 1000 ? 0 : drift_);
      EXPECT_EQ(result.requeued, expected.requeued);
      EXPECT_EQ(result.poisoned, expected.poisoned);
      EXPECT_EQ(result.cancelled, expected.cancelled);
      EXPECT_EQ(result.clock_jump, expected.clock_jump);
      EXPECT_EQ(result.dropped, 0);
      poisoned += result.poisoned;
      drift_ = 0;
      return "reap";
    }
    return "pass " + std::to_string(time) + " ms";
  }

  template <typename Code>
  void expect(const Code& got, const Code& expected) {
    EXPECT_EQ(got, expected);
    if constexpr (std::is_same_v<Code, std::optional<ReplyCode>>) refusals += expected != ReplyCode::ok ? 1 : 0;
    if constexpr (std::is_same_v<Code, ReplyCode>) refusals += expected != ReplyCode::ok ? 1 : 0;
  }

  void compare(const TaskRecord& got, const Oracle::Task& expected) {
    const std::string& id = expected.spec.id;
    ASSERT_EQ(got.spec.id, id);
    ASSERT_EQ(to_string(got.state), to_string(expected.state)) << id;
    ASSERT_EQ(got.attempt, expected.token.attempt) << id;
    ASSERT_EQ(got.owner, expected.token.owner) << id;
    ASSERT_EQ(got.crashes, expected.crashes) << id;
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

  /// What must hold whatever the oracle says.
  void check_job(const JobRecord& job, const std::vector<TaskRecord>& tasks) {
    if (tasks.empty()) return;
    const TaskRecord& stitch = tasks.back();
    ASSERT_EQ(stitch.spec.kind, TaskKind::stitch);
    ASSERT_EQ(job.state == JobState::done, stitch.state == TaskState::done && !stitch.partial) << job.id;
    bool open = false;
    for (const TaskRecord& task : tasks) {
      open = open || !is_terminal(task.state);
      ASSERT_TRUE(job.state != JobState::done || task.state == TaskState::done) << task.spec.id;
      if (task.spec.kind == TaskKind::window && task.state != TaskState::waiting &&
          task.state != TaskState::cancelled) {
        for (const Dependency& dependency : task.spec.depends) {
          const auto other = std::find_if(tasks.begin(), tasks.end(),
                                          [&](const TaskRecord& t) { return t.spec.id == dependency.task; });
          ASSERT_TRUE(other->state == TaskState::done || other->tail_published) << task.spec.id << " ran too early";
        }
      }
    }
    ASSERT_EQ(job.closed, is_terminal(job.state) && !open) << job.id;
    done_jobs += job.state == JobState::done ? 1 : 0;
  }

  /// Every ready task is in exactly one index, or in none because its job rests; nothing else is in any.
  void check_indexes() {
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

  std::mt19937_64 random_;
  TestFarm farm_;
  JobStore store_;
  Oracle oracle_;
  std::chrono::steady_clock::time_point steady_{};
  std::int64_t drift_ = 0;  ///< of the server's clock against the steady one since the last reap
  std::int64_t sequence_ = 0;
  std::vector<FencingToken> tokens_;
  std::vector<ClaimFilter> filters_ = {render_filter("g1", "fp-a", "fp32"), render_filter("g2", "fp-a", "fp32"),
                                       render_filter("g3", "fp-b", "bf16"), stitch_filter("s1"), stitch_filter("s2")};
};

TEST(RandomTransitions, FollowTheOracle) {
  const std::uint64_t first = first_seed();
  const std::uint64_t seeds[] = {first, first + 1, first + 2};
  for (const std::uint64_t seed : seeds) {
    Simulation simulation(seed);
    std::vector<std::string> story;
    const int steps = steps_to_take() / static_cast<int>(std::size(seeds));
    for (int i = 0; i < steps; ++i) {
      story.push_back(simulation.step());
      if (i % kCompareEvery == 0) simulation.compare();
      if (testing::Test::HasFailure()) {
        std::string tail;
        for (std::size_t at = story.size() > 25 ? story.size() - 25 : 0; at < story.size(); ++at)
          tail += story[at] + "\n";
        FAIL() << "seed " << seed << ", step " << i << ":\n" << tail;
      }
    }
    ASSERT_NO_FATAL_FAILURE(simulation.drain());
    ASSERT_FALSE(testing::Test::HasFailure());
    // A run that never got far would prove nothing.
    EXPECT_GT(simulation.claims, steps / 20);
    EXPECT_GT(simulation.refusals, steps / 20);
    EXPECT_GT(simulation.done_jobs, 0);
  }
}

}  // namespace
}  // namespace reelfarm::queue::test
