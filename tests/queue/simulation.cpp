#include "tests/queue/simulation.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <utility>

namespace reelfarm::queue::test {

using std::chrono::milliseconds;

void Simulation::set_options(StoreOptions& options) {
  options.retry = {.max_crashes = 3,
                   .max_losses = 4,
                   .max_failures = 3,
                   .backoff_base = milliseconds(1000),
                   .backoff_cap = milliseconds(5000),
                   .input_settle = milliseconds(3000)};
}

Simulation::Simulation(std::uint64_t seed)
    : random_(seed), store_((set_options(farm_.options), farm_.make_store())), oracle_(farm_.options) {
  oracle_.now = 1'800'000'000'000;
  move_clock(0, 0);
  store_.reap(steady_);
}

std::string Simulation::step() {
  const int dice = pick(100);
  if (dice < 6) return submit();
  if (dice < 14) return decide();
  if (dice < 38) return claim();
  if (dice < 76) return use_token();
  if (dice < 88) return change();
  if (dice < 91) return announce();
  return pass_time();
}

std::vector<std::string> Simulation::jobs() const {
  std::map<std::int64_t, std::string> ordered;
  for (const auto& [id, job] : oracle_.jobs) ordered[job.sequence] = id;
  std::vector<std::string> ids;
  for (const auto& [sequence, id] : ordered) ids.push_back(id);
  return ids;
}

std::string Simulation::random_job() {
  const std::vector<std::string> ids = jobs();
  if (ids.empty() || chance(2)) return make_job_id();
  return ids[static_cast<std::size_t>(pick(static_cast<int>(ids.size())))];
}

std::string Simulation::submit() {
  if (oracle_.jobs.size() >= 14) return forget_one();
  JobSpec spec = make_spec("p", pick(3) - 1);
  const std::string job = store_.submit(spec).job;
  oracle_.submit(job, ++sequence_);
  return "submit " + job;
}

std::string Simulation::forget_one() {
  if (!oracle_.removing.empty() && chance(30)) {
    const std::string removed = *oracle_.removing.begin();
    expect(store_.forget(removed).code, oracle_.forget(removed));
    store_.files_removed(removed);
    oracle_.files_removed(removed);
    return "files removed " + removed;
  }
  for (const std::string& id : jobs()) {
    if (!oracle_.jobs.at(id).closed) continue;
    expect(store_.forget(id).code, oracle_.forget(id));
    return "forget " + id;
  }
  const std::string job = random_job();
  expect(store_.cancel(job).code, oracle_.cancel(job));
  return "cancel to make room " + job;
}

void Simulation::accept(const std::string& id) {
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

void Simulation::finish_some(Plan& plan) {
  plan.fingerprint = chance(50) ? "fp-a" : "fp-b";
  const int count = 1 + pick(static_cast<int>(plan.tasks.size()));
  for (const TaskSpec& task : std::span(plan.tasks).first(static_cast<std::size_t>(count))) {
    FinishReport report = make_report(task.id);
    if (task.kind == TaskKind::window && chance(80)) report.tail = make_artifact("tail-" + task.id);
    plan.finished.emplace(task.id, report);
  }
}

std::string Simulation::decide() {
  std::vector<std::string> inbox;
  for (const std::string& id : jobs()) {
    if (oracle_.jobs.at(id).state == JobState::submitted) inbox.push_back(id);
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

std::optional<FencingToken> Simulation::claim_as(const ClaimFilter& filter) {
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

std::string Simulation::claim() {
  ClaimFilter filter = filters_[static_cast<std::size_t>(pick(static_cast<int>(filters_.size())))];
  if (chance(20) && filter.kinds.size() > 1) filter.kinds = {chance(50) ? TaskKind::image : TaskKind::window};
  const auto token = claim_as(filter);
  return "claim by " + filter.owner + ": " + (token ? token->task : "nothing");
}

void Simulation::finish(const FencingToken& token) {
  FinishReport report = make_report(token.task);
  if (token.task.find(".w") != std::string::npos) report.tail = make_artifact("tail-" + token.task);
  std::optional<ReplyCode> code;
  try {
    code = store_.finish(token, report);
  } catch (const TransitionError&) {
  }
  expect(code, oracle_.finish(token, report));
  if (code != ReplyCode::ok || token.task.ends_with(".stitch")) return;
  const auto [known, first] = finished_.emplace(token.task, token);
  EXPECT_TRUE(first || known->second == token) << token.task << " was finished twice";
}

std::string Simulation::reject_input(const FencingToken& token) {
  std::string input = token.task;
  std::string digest;
  const auto job = oracle_.jobs.find(token.task.substr(0, token.task.rfind('.')));
  if (job != oracle_.jobs.end() && chance(97)) {
    const std::vector<Oracle::Task>& tasks = job->second.tasks;
    const Oracle::Task& task = tasks[static_cast<std::size_t>(pick(static_cast<int>(tasks.size())))];
    input = task.spec.id;
    if (chance(90)) digest = task.digest;
  }
  std::optional<ReplyCode> code;
  try {
    code = store_.reject_input(token, input, digest, "damaged");
  } catch (const TransitionError&) {
  }
  const std::optional<ReplyCode> expected = oracle_.reject_input(token, input, digest);
  expect(code, expected);
  if (code == ReplyCode::ok) ++inputs_rejected;
  if (job != oracle_.jobs.end()) {
    for (const Oracle::Task& task : job->second.tasks) {
      if (task.state != TaskState::done) finished_.erase(task.spec.id);
    }
  }
  return "reject input " + input + " of " + token.task;
}

std::string Simulation::use_token() {
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
    case 8:
      if (chance(40)) return reject_input(token);
      [[fallthrough]];
    default:
      finish(token);
      return "finish " + name;
  }
}

std::string Simulation::measure_disk() {
  oracle_.disk_full = chance(25);
  store_.report_disk({.full = oracle_.disk_full, .free = 1, .capacity = 2, .high_water = 95});
  return oracle_.disk_full ? "disk full" : "disk has room";
}

std::string Simulation::stop_farm() {
  const bool before = std::exchange(oracle_.farm_paused, chance(30));
  const bool changed = oracle_.farm_paused ? store_.pause_farm("x") : store_.resume_farm("x");
  if (changed != (before != oracle_.farm_paused)) ADD_FAILURE() << "pause of the farm from " << before;
  return oracle_.farm_paused ? "farm paused" : "farm goes on";
}

std::string Simulation::announce() {
  if (chance(25)) return measure_disk();
  if (chance(15)) return stop_farm();
  const ClaimFilter& filter = filters_[static_cast<std::size_t>(pick(3))];
  GroupRecord group = group_of(filter);
  group.state = chance(80) ? GroupState::idle : GroupState::draining;
  store_.register_group(group);
  oracle_.register_group(group);
  return std::string(to_string(group.state)) + " " + group.id;
}

std::string Simulation::change() {
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

void Simulation::move_clock(std::int64_t server_ms, std::int64_t steady_ms) {
  oracle_.now += server_ms;
  steady_ += milliseconds(steady_ms);
  farm_.stop_clock_at(ServerTime(milliseconds(oracle_.now)));
  drift_ += server_ms - steady_ms;
}

std::string Simulation::pass_time() {
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

}  // namespace reelfarm::queue::test
