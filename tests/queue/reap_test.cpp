#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

/// A reaper whose two clocks go as the test says.
class Reaper {
 public:
  explicit Reaper(TestFarm& farm) : farm_(farm), store_(farm.make_store()) { store_.reap(steady_); }

  /// Both clocks go on.
  void pass(milliseconds time) {
    farm_.advance(time);
    steady_ += time;
  }
  ReapResult reap() { return store_.reap(steady_); }
  JobStore& store() { return store_; }

 private:
  TestFarm& farm_;
  JobStore store_;
  Steady::time_point steady_ = Steady::now();
};

TEST(Reap, TakesALeaseOnlyWhenItRanOut) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  reaper.pass(seconds(14));
  EXPECT_EQ(reaper.reap().requeued, 0);
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok);
  reaper.pass(seconds(14));
  EXPECT_EQ(reaper.reap().requeued, 0);
  reaper.pass(seconds(2));
  EXPECT_EQ(reaper.reap().requeued, 1);
  const TaskRecord task = store.get_task(lease.token.task).value();
  EXPECT_EQ(task.state, TaskState::ready);
  EXPECT_EQ(task.losses, 1);
  EXPECT_EQ(task.crashes, 0) << "a node's death says nothing of the task";
  EXPECT_EQ(task.error_class, "lost");
  EXPECT_THAT(task.error, testing::HasSubstr("g1"));
  EXPECT_TRUE(store.leases().empty());
  EXPECT_EQ(store.renew(lease.token), ReplyCode::stale);
  EXPECT_EQ(store.get_job(job)->state, JobState::running);
}

TEST(Reap, ALateOwnerThatNobodyReplacedKeepsItsLease) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  reaper.pass(seconds(60));
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok);
  EXPECT_EQ(reaper.reap().requeued, 0);
}

TEST(Reap, PoisonsATaskThatKillsEveryOwner) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  int poisoned = 0;
  int claims = 0;
  for (int i = 0; i < 50 && poisoned == 0; ++i) {
    if (store.claim(render_filter("g" + std::to_string(i)))) ++claims;
    reaper.pass(seconds(16));
    poisoned += reaper.reap().poisoned;
  }
  EXPECT_EQ(claims, farm.options.retry.max_losses);
  EXPECT_EQ(task_states(store, job), "w0:poison stitch:cancelled");
  EXPECT_EQ(store.get_job(job)->error.error_class, "poison");
}

TEST(Reap, CountsLossesApartFromCrashesAndForgetsThemAtANewStep) {
  TestFarm farm;
  farm.options.retry = {
      .max_crashes = 1, .max_losses = 2, .backoff_base = milliseconds(0), .backoff_cap = milliseconds(0)};
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  const std::string task = task_id(job, TaskKind::window, 0);
  const auto lose = [&](int step) {
    const Lease lease = must_claim(store, render_filter("g1"));
    store.tick(lease.token, {"step", step, 4, 0});
    reaper.pass(seconds(16));
    reaper.reap();
  };
  lose(1);
  EXPECT_EQ(store.get_task(task)->losses, 1);
  lose(2);
  EXPECT_EQ(store.get_task(task)->losses, 1) << "the second was at another step";
  EXPECT_EQ(store.get_task(task)->state, TaskState::ready);
  lose(2);
  EXPECT_EQ(store.get_task(task)->state, TaskState::poison);
  EXPECT_EQ(store.get_task(task)->crashes, 0);
  EXPECT_EQ(store.retry(job).code, ChangeCode::ok);
  EXPECT_EQ(store.get_task(task)->losses, 0);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::crash, "signal 9");
  EXPECT_EQ(store.get_task(task)->state, TaskState::poison);
}

TEST(Reap, ADeadOwnerOfACancelledJobClosesIt) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  must_claim(store, render_filter("g1"));
  store.cancel(job);
  reaper.pass(seconds(16));
  EXPECT_EQ(reaper.reap().cancelled, 1);
  EXPECT_TRUE(store.get_job(job)->closed);
}

TEST(Reap, TheFirstPassOfACoordinatorGrantsAFullTerm) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  farm.advance(minutes(10));  // no coordinator, or no Redis, all this time
  Reaper reaper(farm);        // its first pass
  EXPECT_EQ(reaper.reap().requeued, 0);
  reaper.pass(seconds(14));
  EXPECT_EQ(reaper.reap().requeued, 0);
  reaper.pass(seconds(2));
  EXPECT_EQ(reaper.reap().requeued, 1);
  EXPECT_EQ(store.renew(lease.token), ReplyCode::stale);
}

TEST(Reap, ShiftsLeasesWhenTheServersClockJumpsForward) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  add_job(store, 1);
  add_job(store, 1);
  add_job(store, 1);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::device, "rests for a second");
  const Lease silent = must_claim(store, render_filter("g1"));
  const Lease lively = must_claim(store, render_filter("g2"));
  reaper.pass(seconds(5));
  reaper.reap();
  farm.advance(minutes(60));  // the server's clock alone
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
  const ReapResult result = reaper.reap();
  EXPECT_NEAR(static_cast<double>(result.clock_jump.count()), 3600e3, 500);
  EXPECT_EQ(result.requeued, 0) << "nobody was silent for 15 s of real time";
  reaper.pass(seconds(11));
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
  EXPECT_EQ(reaper.reap().requeued, 1) << "5 s before the jump and 11 s after it";
  EXPECT_EQ(store.renew(silent.token), ReplyCode::stale);
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
}

TEST(Reap, ShiftsLeasesWhenTheServersClockJumpsBack) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  add_job(store, 1);
  add_job(store, 1);
  const Lease silent = must_claim(store, render_filter("g1"));
  const Lease lively = must_claim(store, render_filter("g2"));
  reaper.pass(seconds(5));
  reaper.reap();
  farm.advance(-minutes(60));
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
  EXPECT_NEAR(static_cast<double>(reaper.reap().clock_jump.count()), -3600e3, 500);
  reaper.pass(seconds(11));
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
  EXPECT_EQ(reaper.reap().requeued, 1) << "a silent owner is found within its term, not an hour later";
  EXPECT_EQ(store.renew(silent.token), ReplyCode::stale);
  EXPECT_EQ(store.renew(lively.token), ReplyCode::ok);
}

TEST(Reap, FindsASilentOwnerAndEndsARestWhereTheClockWentBackWhileNobodyReaped) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  add_job(store, 1);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::device, "rests for a second");
  const Lease silent = must_claim(store, render_filter("g1"));
  farm.advance(-minutes(60));
  Reaper reaper(farm);  // of a coordinator that starts only now
  EXPECT_EQ(reaper.reap().requeued, 0);
  reaper.pass(StoreOptions{}.retry.backoff_cap);
  EXPECT_TRUE(store.claim(render_filter("g2"))) << "no rest is longer than the longest";
  reaper.pass(seconds(16));
  EXPECT_GE(reaper.reap().requeued, 1);
  EXPECT_EQ(store.renew(silent.token), ReplyCode::stale);
}

TEST(Reap, IsNotStoppedByBrokenRecords) {
  TestFarm farm;
  Reaper reaper(farm);
  JobStore store = farm.make_store();
  std::vector<std::string> jobs;
  std::vector<Lease> leases;
  for (int i = 0; i < 5; ++i) jobs.push_back(add_job(store, 1));
  for (int i = 0; i < 5; ++i) leases.push_back(must_claim(store, render_filter("g" + std::to_string(i))));
  farm.raw({"DEL", farm.keys().task(leases[0].token.task)});
  farm.raw({"HSET", farm.keys().task(leases[1].token.task), "schema", "99"});
  farm.raw({"DEL", farm.keys().task(leases[2].token.task)});
  farm.raw({"SET", farm.keys().task(leases[2].token.task), "not a hash"});
  farm.raw({"HSET", farm.keys().task(leases[3].token.task), "spec",
            "\xff\xfe not JSON"});  // a payload: not the reaper's business
  farm.raw({"ZADD", farm.keys().leases(), "1", "never-was.w0000"});
  reaper.pass(seconds(16));
  const ReapResult result = reaper.reap();
  EXPECT_EQ(result.dropped, 4);
  EXPECT_EQ(result.requeued, 2);
  EXPECT_TRUE(store.leases().empty());
  EXPECT_EQ(store.dead_letters().size(), 4u);
  for (int i = 0; i < 3; ++i) {
    const JobRecord job = store.get_job(jobs[static_cast<std::size_t>(i)]).value();
    EXPECT_EQ(job.state, JobState::failed) << i;
    EXPECT_EQ(job.error.error_class, "corrupt") << i;
    EXPECT_TRUE(job.closed) << i;
  }
}

}  // namespace
}  // namespace reelfarm::queue::test
