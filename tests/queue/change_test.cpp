// What operators do to jobs: cancel, pause, resume, retry, priorities, forget.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

FinishReport with_tail(const std::string& name) {
  FinishReport report = make_report(name);
  report.tail = make_artifact("tail-of-" + name);
  return report;
}

TEST(Cancel, InTheInboxLeavesARecord) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  EXPECT_EQ(store.cancel(job, "typo").code, ChangeCode::ok);
  EXPECT_TRUE(store.read_inbox().empty());
  EXPECT_FALSE(store.accept(job, make_plan(job, make_spec(), 1)));
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::cancelled);
  EXPECT_EQ(record.error.message, "typo");
  EXPECT_TRUE(record.closed);
  EXPECT_EQ(store.cancel(job).code, ChangeCode::unchanged);
  EXPECT_EQ(store.retry(job).code, ChangeCode::refused);
  EXPECT_EQ(store.cancel(make_job_id()).code, ChangeCode::not_found);
  EXPECT_EQ(store.cancel("../etc").code, ChangeCode::not_found);
}

TEST(Cancel, BeforeAnyWindowIsDoneLeavesNothingToStitch) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  const Lease lease = must_claim(store, render_filter("g1"));
  EXPECT_EQ(store.cancel(job).state, JobState::cancelled);
  EXPECT_EQ(task_states(store, job), "w0:leased w1:cancelled stitch:cancelled");
  EXPECT_FALSE(store.get_job(job)->closed) << "window 0 still runs";
  EXPECT_EQ(store.tick(lease.token, {"step", 1, 4, 0}), ReplyCode::cancelled);
  EXPECT_EQ(store.renew(lease.token), ReplyCode::cancelled);
  EXPECT_EQ(store.tail(lease.token, make_artifact("t")), ReplyCode::cancelled);
  EXPECT_EQ(store.finish(lease.token, make_report("w0")), ReplyCode::cancelled);
  EXPECT_EQ(task_states(store, job), "w0:cancelled w1:cancelled stitch:cancelled");
  EXPECT_TRUE(store.get_job(job)->closed);
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_FALSE(store.claim(stitch_filter()).has_value());
}

TEST(Cancel, StitchesTheWindowsThatAreDoneToAPartialFile) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 4);
  store.finish(must_claim(store, render_filter("g1")).token, with_tail("w0"));
  const Lease second = must_claim(store, render_filter("g1"));
  store.tail(second.token, make_artifact("t1"));
  const Lease third = must_claim(store, render_filter("g1"));
  store.finish(third.token, with_tail("w2"));  // window 2 is done before window 1: it does not count
  EXPECT_EQ(store.cancel(job).code, ChangeCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:leased w2:done w3:cancelled stitch:ready");
  const Lease stitch = must_claim(store, stitch_filter());
  EXPECT_TRUE(stitch.task.partial);
  EXPECT_EQ(stitch.task.window_limit, 1);
  EXPECT_EQ(store.renew(stitch.token), ReplyCode::ok) << "the stitch of a cancelled job goes on";
  EXPECT_EQ(store.release(second.token, "told to"), ReplyCode::cancelled);
  EXPECT_FALSE(store.get_job(job)->closed);
  EXPECT_EQ(store.finish(stitch.token, make_report("partial")), ReplyCode::ok);
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::cancelled);
  EXPECT_TRUE(record.partial);
  EXPECT_TRUE(record.closed);
  EXPECT_EQ(record.output, "artifacts/partial");
}

TEST(Cancel, ReachesAStitchThatIsAlreadyRunning) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  store.finish(must_claim(store, render_filter("g1")).token, with_tail("w0"));
  const Lease stitch = must_claim(store, stitch_filter());
  EXPECT_FALSE(stitch.task.partial);
  store.cancel(job);
  EXPECT_EQ(store.get_task(stitch.token.task)->window_limit, 1);
  EXPECT_EQ(store.finish(stitch.token, make_report("partial")), ReplyCode::ok);
  EXPECT_TRUE(store.get_job(job)->closed);
}

TEST(Cancel, ADoneJobStaysDone) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  store.finish(must_claim(store, render_filter("g1")).token, make_report("w0"));
  store.finish(must_claim(store, stitch_filter()).token, make_report("video"));
  const Change change = store.cancel(job);
  EXPECT_EQ(change.code, ChangeCode::refused);
  EXPECT_EQ(change.state, JobState::done);
  EXPECT_EQ(change.text, "the job is done");
}

TEST(Failure, OfALaterWindowLeavesAPartialFileAndStopsTheRest) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 4);
  store.finish(must_claim(store, render_filter("g1")).token, with_tail("w0"));
  const Lease second = must_claim(store, render_filter("g1"));
  store.tail(second.token, make_artifact("t1"));
  const Lease third = must_claim(store, render_filter("g2"));
  store.fail(second.token, FailureClass::data, "broken");
  EXPECT_EQ(task_states(store, job), "w0:done w1:failed w2:leased w3:cancelled stitch:ready");
  EXPECT_EQ(store.tick(third.token, {"step", 1, 4, 0}), ReplyCode::cancelled);
  EXPECT_EQ(store.fail(third.token, FailureClass::crash, "killed"), ReplyCode::cancelled);
  store.finish(must_claim(store, stitch_filter()).token, make_report("partial"));
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::failed);
  EXPECT_EQ(record.error.message, "broken");
  EXPECT_TRUE(record.closed);
}

TEST(Failure, OfAPartialStitchIsRetriedThenGivenUp) {
  TestFarm farm;
  farm.options.retry = {
      .max_crashes = 5, .max_failures = 2, .backoff_base = milliseconds(0), .backoff_cap = seconds(1)};
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  store.finish(must_claim(store, render_filter("g1")).token, with_tail("w0"));
  store.cancel(job);
  store.fail(must_claim(store, stitch_filter()).token, FailureClass::storage, "disk full");
  EXPECT_FALSE(store.get_job(job)->closed);
  store.fail(must_claim(store, stitch_filter()).token, FailureClass::storage, "disk full");
  EXPECT_EQ(task_states(store, job), "w0:done w1:cancelled stitch:failed");
  EXPECT_EQ(store.get_job(job)->state, JobState::cancelled);
  EXPECT_TRUE(store.get_job(job)->closed);
}

TEST(Pause, LetsNothingNewStartAndResumeGoesOn) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  const Lease first = must_claim(store, render_filter("g1"));
  EXPECT_EQ(store.pause(job).code, ChangeCode::ok);
  EXPECT_EQ(store.pause(job).code, ChangeCode::unchanged);
  EXPECT_EQ(store.get_job(job)->state, JobState::paused);
  EXPECT_EQ(store.tick(first.token, {"step", 1, 4, 0}), ReplyCode::paused);
  EXPECT_EQ(store.tail(first.token, make_artifact("t0")), ReplyCode::paused);
  EXPECT_FALSE(store.claim(render_filter("g2")).has_value());
  EXPECT_EQ(store.release(first.token, "paused"), ReplyCode::ok);
  EXPECT_EQ(store.get_task(first.token.task)->preemptions, 0) << "its user wanted it";
  EXPECT_FALSE(store.claim(render_filter("g2")).has_value());
  EXPECT_EQ(task_states(store, job), "w0:ready w1:ready w2:waiting stitch:waiting");
  EXPECT_EQ(store.resume(job).state, JobState::running);
  EXPECT_EQ(store.resume(job).code, ChangeCode::unchanged);
  EXPECT_EQ(must_claim(store, render_filter("g2")).task.spec.window, 0);
  EXPECT_EQ(must_claim(store, render_filter("g2")).task.spec.window, 1);
}

TEST(Pause, KeepsWorkThatFinishesAndDoesNotStopTheStitch) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  const Lease first = must_claim(store, render_filter("g1"));
  store.pause(job);
  EXPECT_EQ(store.finish(first.token, with_tail("w0")), ReplyCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:done w1:ready stitch:ready");
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_EQ(store.renew(must_claim(store, stitch_filter()).token), ReplyCode::ok);
}

TEST(Pause, ATaskWhoseBackOffEndsMeanwhileWaitsForTheResume) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::device, "x");
  store.pause(job);
  farm.advance(seconds(5));
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  store.resume(job);
  EXPECT_TRUE(store.claim(render_filter("g1")).has_value());
}

TEST(Retry, GoesOnFromWhatIsDoneAndFencesThePartialStitch) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 3);
  store.finish(must_claim(store, render_filter("g1")).token, with_tail("w0"));
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::data, "x");
  const Lease stitch = must_claim(store, stitch_filter());
  const Change change = store.retry(job);
  EXPECT_EQ(change.code, ChangeCode::ok);
  EXPECT_EQ(change.state, JobState::running);
  EXPECT_EQ(task_states(store, job), "w0:done w1:ready w2:waiting stitch:ready");
  EXPECT_EQ(store.finish(stitch.token, make_report("partial")), ReplyCode::stale);
  const JobRecord record = store.get_job(job).value();
  EXPECT_FALSE(record.closed);
  EXPECT_FALSE(record.partial);
  EXPECT_EQ(record.error.message, "");
  EXPECT_TRUE(store.finished_before(store.now() + seconds(1)).empty());
  for (const char* name : {"w1", "w2"}) store.finish(must_claim(store, render_filter("g1")).token, with_tail(name));
  store.finish(must_claim(store, stitch_filter()).token, make_report("video"));
  EXPECT_EQ(store.get_job(job)->state, JobState::done);
  EXPECT_EQ(store.retry(job).code, ChangeCode::refused);
}

TEST(Retry, ResetsTheCountsAndLetsARunningWindowGoOn) {
  TestFarm farm;
  farm.options.retry.max_crashes = 2;
  farm.options.retry.backoff_base = milliseconds(0);
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  const Lease first = must_claim(store, render_filter("g1"));
  store.tail(first.token, make_artifact("t0"));
  for (int i = 0; i < 2; ++i) store.fail(must_claim(store, render_filter("g2")).token, FailureClass::crash, "x");
  EXPECT_EQ(task_states(store, job), "w0:leased w1:poison stitch:cancelled");
  EXPECT_EQ(store.retry(job).code, ChangeCode::ok);
  EXPECT_EQ(task_states(store, job), "w0:leased w1:ready stitch:waiting");
  EXPECT_EQ(store.renew(first.token), ReplyCode::ok);
  EXPECT_EQ(store.get_tasks(job)[1].crashes, 0);
  EXPECT_EQ(must_claim(store, render_filter("g2")).token.attempt, 3) << "attempts never start again";
}

TEST(SetPriority, MovesWhatWaits) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  const std::string second = add_job(store, 1);
  EXPECT_EQ(store.set_priority(second, 5).code, ChangeCode::ok);
  EXPECT_EQ(store.set_priority(second, 5).code, ChangeCode::unchanged);
  EXPECT_EQ(store.get_job(second)->priority, 5);
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, second);
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, first);
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value()) << "no task is queued twice";
  EXPECT_THROW(store.set_priority(first, 101), std::invalid_argument);
}

TEST(Forget, RemovesEveryKeyOfAClosedJobAndMarksIt) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 2);
  EXPECT_EQ(store.forget(job).code, ChangeCode::refused);
  const Lease lease = must_claim(store, render_filter("g1"));
  store.cancel(job);
  EXPECT_EQ(store.forget(job).code, ChangeCode::refused) << "a window still runs";
  store.release(lease.token, "cancelled");
  EXPECT_EQ(store.forget(job).code, ChangeCode::ok);
  EXPECT_FALSE(store.get_job(job).has_value());
  EXPECT_TRUE(store.list_jobs().empty());
  EXPECT_THAT(farm.raw({"KEYS", "*" + job + "*"}), testing::ElementsAre());
  EXPECT_EQ(store.renew(lease.token), ReplyCode::gone);
  EXPECT_EQ(store.forget(job).code, ChangeCode::unchanged);
  EXPECT_EQ(farm.raw({"TTL", farm.keys().removing()}), std::vector<std::string>{"-1"}) << "it stays until ...";
  EXPECT_EQ(store.standing({job}), std::vector{Standing::removing});
  store.files_removed(job);
  EXPECT_EQ(store.standing({job}), std::vector{Standing::unknown});
  EXPECT_EQ(store.forget(job).code, ChangeCode::not_found);
}

TEST(Forget, TheMarkNamesTheVideoOnlyWhenThatGoesToo) {
  TestFarm farm;
  JobStore store = farm.make_store();
  for (const bool with_video : {false, true}) {
    const std::string job = add_job(store, 1);
    ASSERT_EQ(store.finish(must_claim(store, render_filter("g1")).token, make_report("w")), ReplyCode::ok);
    ASSERT_EQ(store.finish(must_claim(store, stitch_filter()).token, make_report("video")), ReplyCode::ok);
    ASSERT_EQ(store.forget(job, with_video).code, ChangeCode::ok);
    ASSERT_EQ(store.removals().size(), 1u);
    EXPECT_EQ(store.removals()[0].job, job);
    EXPECT_EQ(store.removals()[0].video, with_video ? "artifacts/video" : "");
    store.files_removed(job);
  }
}

TEST(Forget, ARejectedJobIsMarkedToo) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  EXPECT_EQ(store.forget(job).code, ChangeCode::refused);
  store.reject(job, "no");
  EXPECT_EQ(store.forget(job).code, ChangeCode::ok);
  EXPECT_EQ(store.standing({job}), std::vector{Standing::removing});
}

TEST(Standing, OfThousandsOfJobsIsAskedInPieces) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  std::vector<std::string> jobs(2500, "j000000000000");
  jobs[2400] = job;
  const std::vector<Standing> standing = store.standing(jobs);
  ASSERT_EQ(standing.size(), jobs.size());
  EXPECT_EQ(standing[2400], Standing::known);
  EXPECT_EQ(std::count(standing.begin(), standing.end(), Standing::unknown), 2499);
  EXPECT_TRUE(store.standing({}).empty());
}

}  // namespace
}  // namespace reelfarm::queue::test
