#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Claim, GivesEverythingThatTheRanksNeed) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2, true);
  const Lease image = must_claim(store, render_filter("g1"));
  EXPECT_EQ(image.token.task, task_id(job, TaskKind::image));
  EXPECT_EQ(image.token.attempt, 1);
  EXPECT_EQ(image.job.prompt, "a lighthouse");
  EXPECT_EQ(image.task.state, TaskState::leased);
  EXPECT_EQ(image.task.host, "host-of-g1");
  EXPECT_TRUE(image.inputs.empty());
  EXPECT_GT(image.expires, store.now());
  EXPECT_EQ(store.get_job(job)->state, JobState::running);
  store.finish(image.token, make_report("image"));

  const Lease first = must_claim(store, render_filter("g1"));
  ASSERT_EQ(first.inputs.size(), 1u);
  EXPECT_EQ(first.inputs[0].kind, TaskKind::image);
  EXPECT_EQ(first.inputs[0].artifact->path, "artifacts/image");
  EXPECT_FALSE(first.inputs[0].tail.has_value());
  store.tail(first.token, make_artifact("tail0"));

  const Lease second = must_claim(store, render_filter("g1"));
  EXPECT_EQ(second.task.spec.window, 1);
  EXPECT_EQ(second.task.spec.render.seed, 43u);
  ASSERT_EQ(second.inputs.size(), 1u);
  EXPECT_EQ(second.inputs[0].tail->sha256, "sha-tail0");
  EXPECT_FALSE(second.inputs[0].artifact.has_value()) << "window 0 is not done yet";
}

TEST(Claim, GoesByPriorityThenSubmitOrder) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string low = add_job(store, 1, false, make_spec("low", -100));
  const std::string first = add_job(store, 1);
  const std::string second = add_job(store, 1);
  const std::string high = add_job(store, 1, false, make_spec("high", 100));
  std::vector<std::string> order;
  while (auto lease = store.claim(render_filter("g1"))) order.push_back(lease->task.spec.job);
  EXPECT_EQ(order, (std::vector<std::string>{high, first, second, low}));
}

TEST(Claim, SerialWindowsWaitForTheTailOfTheOneBefore) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  const Lease first = must_claim(store, render_filter("g1"));
  EXPECT_FALSE(store.claim(render_filter("g2")).has_value());
  EXPECT_EQ(store.tail(first.token, make_artifact("t0")), ReplyCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:leased w1:ready w2:waiting stitch:waiting");
  const Lease second = must_claim(store, render_filter("g2"));
  EXPECT_EQ(store.finish(first.token, make_report("w0")), ReplyCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:leased w2:waiting stitch:ready");
  // A finish that brings the tail with it does both.
  FinishReport report = make_report("w1");
  report.tail = make_artifact("t1");
  EXPECT_EQ(store.finish(second.token, report), ReplyCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:done w2:ready stitch:ready");
  EXPECT_EQ(must_claim(store, render_filter("g1")).inputs[0].tail->path, "artifacts/t1");
}

TEST(Claim, KeepsAJobToTheFingerprintThatStartedIt) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  const std::string other = add_job(store, 1);
  const Lease first = must_claim(store, render_filter("g1", "fp-a"));
  EXPECT_EQ(store.get_job(job)->fingerprint, "fp-a");
  store.tail(first.token, make_artifact("t0"));
  EXPECT_EQ(must_claim(store, render_filter("g2", "fp-b")).task.spec.job, other);
  EXPECT_FALSE(store.claim(render_filter("g2", "fp-b")).has_value());
  const Lease second = must_claim(store, render_filter("g3", "fp-a"));
  EXPECT_EQ(second.task.spec.job, job);
  store.tail(second.token, make_artifact("t1"));
  EXPECT_FALSE(store.claim(render_filter("g2", "fp-b")).has_value());
  EXPECT_EQ(store.allow_mix(job, true).code, ChangeCode::ok);
  EXPECT_EQ(must_claim(store, render_filter("g2", "fp-b")).task.spec.window, 2);
}

TEST(Claim, KeepsAJobToTheDtypeItAsksFor) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec spec = make_spec("a cat", 0);
  spec.dtype = "bf16";
  const std::string job = add_job(store, 2, false, spec);
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-a", "fp32")).has_value());
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-a", "")).has_value());
  const Lease first = must_claim(store, render_filter("g2", "fp-b", "bf16"));
  EXPECT_EQ(store.get_job(job)->fingerprint, "fp-b");
  store.tail(first.token, make_artifact("t0"));
  // A mix of groups is still one of bf16 groups.
  EXPECT_EQ(store.allow_mix(job, true).code, ChangeCode::ok);
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-a", "fp32")).has_value());
  EXPECT_EQ(must_claim(store, render_filter("g3", "fp-c", "bf16")).task.spec.window, 1);
  // Pausing takes the task out of the index of its dtype, too.
  spec.dtype = "fp32";
  const std::string other = add_job(store, 1, false, spec);
  store.pause(other);
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-a", "fp32")).has_value());
  store.resume(other);
  EXPECT_TRUE(store.claim(render_filter("g1", "fp-a", "fp32")).has_value());
}

TEST(Claim, AFirstClaimThatFailsStillDecidesTheFingerprint) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  store.release(must_claim(store, render_filter("g1", "fp-a")).token, "drain");
  EXPECT_FALSE(store.claim(render_filter("g2", "fp-b")).has_value());
  EXPECT_TRUE(store.claim(render_filter("g3", "fp-a")).has_value());
}

TEST(Claim, AsksForBundleAndKind) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1, true);
  ClaimFilter filter = render_filter("g1");
  filter.bundle_hash = "another";
  EXPECT_FALSE(store.claim(filter).has_value());
  filter = render_filter("g1");
  filter.kinds = {TaskKind::window};
  EXPECT_FALSE(store.claim(filter).has_value()) << "only the image is ready";
  filter.kinds = {TaskKind::image};
  EXPECT_EQ(must_claim(store, filter).token.task, task_id(job, TaskKind::image));
  filter.fingerprint = "";
  EXPECT_THROW(store.claim(filter), std::invalid_argument);
}

TEST(Claim, CountsTheOwnersLeasesInTheLeases) {
  TestFarm farm;
  JobStore store = farm.make_store();
  for (int i = 0; i < 4; ++i) add_job(store, 1);
  ClaimFilter filter = render_filter("g1");
  filter.max_leases = 2;
  const Lease first = must_claim(store, filter);
  must_claim(store, filter);
  EXPECT_FALSE(store.claim(filter).has_value());
  EXPECT_TRUE(store.claim(render_filter("g2")).has_value());
  store.finish(first.token, make_report("x"));
  EXPECT_TRUE(store.claim(filter).has_value());
}

// What each verb answers to a token that is wrong in one field, or whose lease was taken away and given to another.
TEST(Fencing, EveryVerbRefusesAStaleToken) {
  const std::vector<std::pair<std::string, std::function<ReplyCode(JobStore&, const FencingToken&)>>> verbs = {
      {"renew", [](JobStore& s, const FencingToken& t) { return s.renew(t); }},
      {"tick",
       [](JobStore& s, const FencingToken& t) {
         return s.tick(t, {"step", 9, 9, 1});
       }},
      {"tail", [](JobStore& s, const FencingToken& t) { return s.tail(t, make_artifact("zombie")); }},
      {"finish", [](JobStore& s, const FencingToken& t) { return s.finish(t, make_report("zombie")); }},
      {"fail", [](JobStore& s, const FencingToken& t) { return s.fail(t, FailureClass::data, "zombie"); }},
      {"release", [](JobStore& s, const FencingToken& t) { return s.release(t, "zombie"); }},
  };
  const std::vector<std::pair<std::string, std::function<void(FencingToken&)>>> faults = {
      {"owner", [](FencingToken& t) { t.owner = "g9"; }},
      {"attempt before", [](FencingToken& t) { t.attempt -= 1; }},
      {"attempt after", [](FencingToken& t) { t.attempt += 1; }},
      {"nonce", [](FencingToken& t) { t.nonce = "0000"; }},
  };
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  const FencingToken first = must_claim(store, render_filter("g1")).token;
  farm.advance(seconds(16));
  store.reap();  // the first call only grants a full term
  farm.advance(seconds(16));
  ASSERT_EQ(store.reap(std::chrono::steady_clock::now() + seconds(16)).requeued, 1);
  farm.advance(seconds(2));
  const FencingToken second = must_claim(store, render_filter("g2")).token;
  ASSERT_EQ(second.task, first.task);
  ASSERT_EQ(second.attempt, 2);
  const std::vector<std::string> before = farm.raw({"HGETALL", farm.keys().task(first.task)});
  for (const auto& [verb, call] : verbs) {
    EXPECT_EQ(call(store, first), ReplyCode::stale) << verb << " by the owner before";
    for (const auto& [fault, change] : faults) {
      FencingToken token = second;
      change(token);
      EXPECT_EQ(call(store, token), ReplyCode::stale) << verb << " with a wrong " << fault;
    }
    FencingToken unknown = second;
    unknown.task = task_id(make_job_id(), TaskKind::window, 0);
    EXPECT_EQ(call(store, unknown), ReplyCode::gone) << verb;
  }
  EXPECT_EQ(farm.raw({"HGETALL", farm.keys().task(first.task)}), before) << "a refused write changes nothing";
  EXPECT_EQ(store.finish(second, make_report("w0")), ReplyCode::ok);
  for (const auto& [verb, call] : verbs) {
    EXPECT_EQ(call(store, second), ReplyCode::stale) << verb << " after finish";
  }
  EXPECT_EQ(store.get_task(first.task)->artifact.path, "artifacts/w0");
  EXPECT_EQ(task_states(store, job), "w0:done w1:ready stitch:ready");
}

TEST(Finish, IsIdempotentForTheSameTokenAndDigest) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  EXPECT_EQ(store.finish(lease.token, make_report("w0")), ReplyCode::ok);
  EXPECT_EQ(store.finish(lease.token, make_report("w0")), ReplyCode::ok);
  EXPECT_EQ(store.finish(lease.token, make_report("other")), ReplyCode::stale);
}

TEST(FailAndRelease, AreIdempotentForTheSameToken) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  const FencingToken first = must_claim(store, render_filter("g1")).token;
  EXPECT_EQ(store.release(first, "drain"), ReplyCode::ok);
  EXPECT_EQ(store.release(first, "drain"), ReplyCode::ok);
  EXPECT_EQ(store.get_task(first.task)->preemptions, 1);
  const FencingToken second = must_claim(store, render_filter("g1")).token;
  EXPECT_EQ(store.release(first, "drain"), ReplyCode::ok) << "it was done, and is not done again";
  EXPECT_EQ(store.renew(second), ReplyCode::ok);
  EXPECT_EQ(store.fail(second, FailureClass::device, "link down"), ReplyCode::ok);
  EXPECT_EQ(store.fail(second, FailureClass::device, "link down"), ReplyCode::ok);
  EXPECT_EQ(store.get_task(first.task)->failures, 1);
}

TEST(Release, CountsApartAndComesBackAtOnceOrAfterADelay) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  store.release(must_claim(store, render_filter("g1")).token, "drain");
  store.release(must_claim(store, render_filter("g1")).token, "nothing to do", false, seconds(5));
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  farm.advance(seconds(6));
  const Lease lease = must_claim(store, render_filter("g1"));
  EXPECT_EQ(lease.token.attempt, 3);
  EXPECT_EQ(lease.task.preemptions, 1);
  EXPECT_EQ(lease.task.crashes, 0);
  EXPECT_EQ(lease.task.failures, 0);
}

TEST(Tick, RenewsAndKeepsProgress) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  farm.advance(seconds(10));
  EXPECT_EQ(store.tick(lease.token, {"step", 2, 4, 0.5}), ReplyCode::ok);
  TaskRecord task = store.get_task(lease.token.task).value();
  EXPECT_EQ(task.progress.phase, "step");
  EXPECT_EQ(task.progress.step, 2);
  EXPECT_EQ(task.progress.steps, 4);
  EXPECT_DOUBLE_EQ(task.progress.fraction, 0.5);
  EXPECT_GE(task.lease_expires - lease.expires, seconds(9));
  EXPECT_EQ(store.tick(lease.token, {"step", 1, 4, 0.5}), ReplyCode::ok);
  EXPECT_EQ(store.get_task(lease.token.task)->progress.step, 2) << "steps do not go back within an attempt";
}

TEST(Fail, RestsLongerEachTimeUntilItIsPoison) {
  TestFarm farm;
  farm.options.retry = {.max_crashes = 3, .max_failures = 10, .backoff_base = seconds(1), .backoff_cap = seconds(60)};
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  for (int crash = 1; crash <= 2; ++crash) {
    const Lease lease = must_claim(store, render_filter("g1"));
    EXPECT_EQ(lease.task.crashes, crash - 1);
    store.fail(lease.token, FailureClass::crash, "signal 9");
    EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
    farm.advance(seconds(1 << (crash - 1)));
  }
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::hang, "no tick for 30 s");
  EXPECT_EQ(task_states(store, job), "w0:poison stitch:cancelled");
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::failed);
  EXPECT_EQ(record.error.error_class, "poison");
  EXPECT_EQ(record.error.message, "no tick for 30 s");
  EXPECT_EQ(record.error.task, task_id(job, TaskKind::window, 0));
  EXPECT_TRUE(record.closed);
}

TEST(Fail, ANewStepResetsTheCrashCountAndARepeatedOneDoesNot) {
  TestFarm farm;
  farm.options.retry.max_crashes = 2;
  farm.options.retry.backoff_base = milliseconds(0);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  for (int step = 1; step <= 3; ++step) {
    const Lease lease = must_claim(store, render_filter("g1"));
    store.tick(lease.token, {"step", step, 4, 0});
    EXPECT_EQ(store.get_task(lease.token.task)->crashes, 0);
    store.fail(lease.token, FailureClass::crash, "x");
  }
  const Lease lease = must_claim(store, render_filter("g1"));
  store.tick(lease.token, {"step", 3, 4, 0});
  store.fail(lease.token, FailureClass::crash, "x");
  EXPECT_EQ(task_states(store, job), "w0:poison stitch:cancelled");
}

TEST(Fail, FailuresAreCountedOverAllAttempts) {
  TestFarm farm;
  farm.options.retry = {
      .max_crashes = 5, .max_failures = 2, .backoff_base = milliseconds(0), .backoff_cap = seconds(1)};
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::storage, "disk full");
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::crash, "x");
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::storage, "disk full");
  EXPECT_EQ(task_states(store, job), "w0:failed stitch:cancelled");
  EXPECT_EQ(store.get_job(job)->error.error_class, "storage");
}

TEST(Fail, BadDataIsNotRetried) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::data, "the image cannot be decoded");
  EXPECT_EQ(task_states(store, job), "w0:failed w1:cancelled w2:cancelled stitch:cancelled");
  EXPECT_EQ(store.get_job(job)->error.message, "the image cannot be decoded");
}

TEST(Tail, AReleasedWindowKeepsItAndItsSuccessorStaysValid) {
  TestFarm farm;
  farm.options.retry.backoff_base = milliseconds(0);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  EventReader events(farm.options);
  const Lease first = must_claim(store, render_filter("g1"));
  store.tail(first.token, make_artifact("t0"));
  const Lease successor = must_claim(store, render_filter("g2"));
  store.fail(first.token, FailureClass::crash, "x");
  EXPECT_EQ(task_states(store, job), "w0:ready w1:leased stitch:waiting");
  EXPECT_EQ(store.finish(successor.token, make_report("w1")), ReplyCode::ok);
  const Lease again = must_claim(store, render_filter("g1"));
  EXPECT_EQ(again.task.spec.window, 0);
  EXPECT_TRUE(again.task.tail_published);
  EXPECT_EQ(store.tail(again.token, make_artifact("t0")), ReplyCode::ok);
  EXPECT_EQ(store.tail(again.token, make_artifact("different")), ReplyCode::ok);
  EXPECT_EQ(store.get_task(again.token.task)->tail.sha256, "sha-t0") << "the first tail stays";
  EXPECT_EQ(store.finish(again.token, make_report("w0")), ReplyCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:done stitch:ready");
  int mismatches = 0;
  for (const Event& event : events.read(milliseconds(100))) mismatches += event.type == "tail_mismatch" ? 1 : 0;
  EXPECT_EQ(mismatches, 1);
}

TEST(Stitch, CompletesTheJobAndOnlyAfterAllWindows) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  FinishReport report = make_report("w0");
  report.tail = make_artifact("t0");
  store.finish(must_claim(store, render_filter("g1")).token, report);
  const Lease stitch = must_claim(store, stitch_filter());
  EXPECT_EQ(stitch.task.spec.stitch.windows, 2);
  EXPECT_THROW(store.finish(stitch.token, make_report("video")), TransitionError);
  EXPECT_THROW(store.tail(stitch.token, make_artifact("t")), TransitionError);
  EXPECT_EQ(store.renew(stitch.token), ReplyCode::ok) << "a refused finish keeps the lease";
  store.finish(must_claim(store, render_filter("g1")).token, make_report("w1"));
  report = make_report("video");
  report.metrics = R"({"seams": 1})";
  EXPECT_EQ(store.finish(stitch.token, report), ReplyCode::ok);
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::done);
  EXPECT_EQ(record.output, "artifacts/video");
  EXPECT_TRUE(record.closed);
  EXPECT_FALSE(record.partial);
  EXPECT_GT(record.finished, ServerTime{});
  EXPECT_EQ(store.get_tasks(job).back().metrics, R"({"seams": 1})");
  EXPECT_THAT(store.finished_before(store.now() + seconds(1)), testing::ElementsAre(job));
  EXPECT_TRUE(store.finished_before(record.finished).empty());
  EXPECT_TRUE(store.leases().empty());
}

}  // namespace
}  // namespace reelfarm::queue::test
