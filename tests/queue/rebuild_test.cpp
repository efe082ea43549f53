#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using testing::ElementsAre;

/// A job of three windows, the first `done` of which are done.
SavedJob saved_job(const std::string& job, int done) {
  SavedJob saved;
  saved.asked = make_spec();
  saved.asked.request_id = "request of " + job;
  saved.submitted = ServerTime(std::chrono::milliseconds(1'700'000'000'000));
  saved.plan = make_plan(job, saved.asked, 3);
  for (int window = 0; window < done; ++window) {
    FinishReport report = make_report("w" + std::to_string(window));
    report.tail = make_artifact("t" + std::to_string(window));
    saved.plan.finished.emplace(task_id(job, TaskKind::window, window), report);
  }
  if (done > 0) saved.plan.fingerprint = "fp-a";
  return saved;
}

SavedJob ended_job(const std::string& job, int done, JobState state) {
  SavedJob saved = saved_job(job, done);
  saved.end = SavedEnd{state,
                       {"poison", "it crashed", task_id(job, TaskKind::window, 2)},
                       ServerTime(std::chrono::milliseconds(1'700'000'900'000))};
  return saved;
}

void finish_stitch(SavedJob& saved) {
  saved.plan.finished.emplace(saved.plan.tasks.back().id, make_report("video"));
}

TEST(FarmId, IsMadeOnceAndOnlyWhenAsked) {
  TestFarm farm;
  JobStore store = farm.make_store();
  EXPECT_EQ(store.farm_id(), "");
  EXPECT_EQ(store.adopt_farm_id("of-the-folder"), "of-the-folder");
  EXPECT_EQ(store.adopt_farm_id("another"), "of-the-folder");
  EXPECT_EQ(farm.make_store().farm_id(), "of-the-folder");
  TestFarm fresh;
  EXPECT_FALSE(fresh.make_store().adopt_farm_id().empty());
}

TEST(Restore, GoesOnFromWhatIsDone) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  const SavedJob saved = saved_job(job, 1);
  EXPECT_TRUE(store.restore(job, saved));
  EXPECT_EQ(task_states(store, job), "w0:done w1:ready w2:waiting stitch:ready");
  const Lease lease = must_claim(store, render_filter("g1", "fp-a"));
  EXPECT_EQ(lease.task.spec.window, 1);
  EXPECT_TRUE(store.restore(job, saved)) << "another coordinator does the same";
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok);
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.submitted, saved.submitted);
  EXPECT_EQ(record.asked.prompt, saved.asked.prompt);
  EXPECT_FALSE(store.submit(saved.asked).created) << "its request id is known again";
  EXPECT_THAT(store.standing({job, "j000000000000"}), ElementsAre(Standing::known, Standing::unknown));
}

TEST(Restore, KeepsTheOrderInWhichItIsCalled) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = make_job_id();
  const std::string second = make_job_id();
  store.restore(first, saved_job(first, 0));
  store.restore(second, saved_job(second, 0));
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, first);
}

TEST(Restore, ADoneJobIsDoneWithItsVideoAndTime) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  SavedJob saved = ended_job(job, 3, JobState::done);
  finish_stitch(saved);
  EXPECT_TRUE(store.restore(job, saved));
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::done);
  EXPECT_TRUE(record.closed);
  EXPECT_EQ(record.output, "artifacts/video");
  EXPECT_EQ(record.finished, saved.end->finished);
  EXPECT_TRUE(record.error.message.empty());
  EXPECT_THAT(store.finished_before(saved.end->finished + std::chrono::milliseconds(1)), ElementsAre(job));
}

TEST(Restore, AFailedJobStaysFailedAndMayBeRetried) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  SavedJob saved = ended_job(job, 2, JobState::failed);
  finish_stitch(saved);  // the partial video
  EXPECT_TRUE(store.restore(job, saved));
  JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::failed);
  EXPECT_TRUE(record.closed);
  EXPECT_TRUE(record.partial);
  EXPECT_EQ(record.output, "artifacts/video");
  EXPECT_EQ(record.error.message, "it crashed");
  EXPECT_EQ(record.error.error_class, "poison");
  EXPECT_EQ(task_states(store, job), "w0:done w1:done w2:cancelled stitch:done");
  EXPECT_EQ(store.retry(job).code, ChangeCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:done w2:ready stitch:ready");
}

TEST(Restore, ACancelledJobWithoutItsPartialVideoGetsOne) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  EXPECT_TRUE(store.restore(job, ended_job(job, 2, JobState::cancelled)));
  EXPECT_EQ(store.get_job(job)->state, JobState::cancelled);
  const Lease stitch = must_claim(store, stitch_filter());
  EXPECT_TRUE(stitch.task.partial);
  EXPECT_EQ(stitch.task.window_limit, 2);
}

TEST(Restore, LeavesAloneWhatTheServerKnowsOtherwise) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string waiting = store.submit(make_spec()).job;
  EXPECT_FALSE(store.restore(waiting, saved_job(waiting, 0)));
  EXPECT_EQ(store.get_job(waiting)->state, JobState::submitted);
  const std::string removed = add_job(store, 1);
  store.cancel(removed);
  EXPECT_EQ(store.forget(removed).code, ChangeCode::ok);
  EXPECT_FALSE(store.restore(removed, saved_job(removed, 0)));
  const std::string rejected = store.submit(make_spec()).job;
  store.reject(rejected, "no");
  EXPECT_FALSE(store.restore(rejected, saved_job(rejected, 0)));
  EXPECT_THAT(store.standing({waiting, removed, rejected}),
              ElementsAre(Standing::known, Standing::removing, Standing::known));
  store.bury(removed, "torn");
  EXPECT_FALSE(store.get_job(removed).has_value());
  EXPECT_TRUE(store.mark_removing(removed));
  EXPECT_FALSE(store.mark_removing(waiting));
  EXPECT_THROW(store.restore(make_job_id(), saved_job(make_job_id(), 0)), std::invalid_argument);
}

TEST(Restore, BringsBackWhatOperatorsChanged) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  SavedJob saved = saved_job(job, 1);
  saved.changes = {.revision = 7, .paused = true, .priority = 30, .allow_mix = true, .used = true};
  EXPECT_TRUE(store.restore(job, saved));
  JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::paused);
  EXPECT_EQ(record.priority, 30);
  EXPECT_TRUE(record.allow_mix);
  EXPECT_TRUE(record.used);
  EXPECT_EQ(store.used_take(job), 1);
  EXPECT_EQ(record.revision, 7);
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-a")).has_value());
  store.resume(job);
  record = store.get_job(job).value();
  EXPECT_EQ(record.revision, 8);
  EXPECT_EQ(must_claim(store, render_filter("g1", "another")).task.spec.window, 1);
}

TEST(Restore, ReplacesAnOlderRecordInItsPlaceAndEndsItsLeases) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  const std::string later = make_job_id();
  SavedJob saved = saved_job(job, 0);
  store.restore(job, saved);
  store.restore(later, saved_job(later, 0));
  store.pause(later);
  const Lease lease = must_claim(store, render_filter("g1"));
  const std::int64_t sequence = store.get_job(job)->sequence;
  SavedJob newer = saved_job(job, 1);
  newer.changes.revision = 2;
  newer.changes.priority = 5;
  EXPECT_TRUE(store.restore(job, newer));
  EXPECT_EQ(task_states(store, job), "w0:done w1:ready w2:waiting stitch:ready");
  EXPECT_EQ(store.get_job(job)->sequence, sequence);
  EXPECT_EQ(store.get_job(job)->priority, 5);
  EXPECT_EQ(store.renew(lease.token), ReplyCode::stale);
  EXPECT_TRUE(store.leases().empty());
  EXPECT_EQ(must_claim(store, render_filter("g1", "fp-a")).task.spec.window, 1);
  EXPECT_FALSE(store.claim(render_filter("g2", "fp-a")).has_value()) << "nothing of the older record is left";
}

TEST(Restore, AnEndThatWasLostEndsTheJobAndLetsItsFollowersGo) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  store.restore(job, saved_job(job, 3));
  const Lease stitch = must_claim(store, stitch_filter());
  SavedJob follows = saved_job(make_job_id(), 0);
  follows.plan.spec.after = job;
  const std::string follower = follows.plan.tasks.front().job;
  store.restore(follower, follows);
  ASSERT_EQ(store.get_job(follower)->state, JobState::held);
  SavedJob done = ended_job(job, 3, JobState::done);
  finish_stitch(done);
  done.changes.revision = 1;
  EXPECT_TRUE(store.restore(job, done));
  EXPECT_EQ(store.get_job(job)->state, JobState::done);
  EXPECT_EQ(store.get_job(job)->revision, 1);
  EXPECT_EQ(store.finish(stitch.token, make_report("again")), ReplyCode::stale);
  EXPECT_EQ(store.get_job(follower)->state, JobState::queued);
}

TEST(Restore, LeavesARecordOfTheSameOrALaterRevision) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  SavedJob saved = saved_job(job, 1);
  saved.changes.revision = 1;
  store.pause(job);
  EXPECT_TRUE(store.restore(job, saved));
  EXPECT_EQ(store.get_job(job)->state, JobState::paused);
  EXPECT_EQ(task_states(store, job), "w0:ready w1:waiting w2:waiting stitch:waiting");
}

TEST(Revision, CountsEndsAndWhatOperatorsChange) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  std::int64_t expected = 0;
  const auto counts = [&](const Change& change) {
    EXPECT_EQ(change.code, ChangeCode::ok);
    EXPECT_EQ(store.get_job(job)->revision, ++expected);
  };
  EXPECT_EQ(store.get_job(job)->revision, 0);
  counts(store.pause(job));
  EXPECT_EQ(store.pause(job).code, ChangeCode::unchanged);
  counts(store.resume(job));
  counts(store.set_priority(job, 3));
  counts(store.allow_mix(job, true));
  counts(store.cancel(job));
  counts(store.retry(job));
  store.finish(must_claim(store, render_filter("g1")).token, make_report("w0"));
  EXPECT_EQ(store.get_job(job)->revision, expected) << "what files prove is not counted";
  store.finish(must_claim(store, stitch_filter()).token, make_report("video"));
  EXPECT_EQ(store.get_job(job)->revision, ++expected);
  counts(store.use_take(job, 1));
}

TEST(Bury, SaysOnceWhyAJobCannotBeBroughtBack) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = make_job_id();
  store.bury(job, "job.json is torn", "{");
  store.bury(job, "job.json is torn", "{");
  const std::vector<DeadLetter> letters = store.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].kind, "job");
  EXPECT_EQ(letters[0].subject, job);
  EXPECT_EQ(letters[0].payload, "{");
  EXPECT_EQ(store.get_job(job)->error.message, "job.json is torn");
  EXPECT_THAT(store.standing({job}), ElementsAre(Standing::known));
}

}  // namespace
}  // namespace reelfarm::queue::test
