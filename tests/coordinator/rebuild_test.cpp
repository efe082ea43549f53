#include "coordinator/rebuild.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "coordinator/inbox.hpp"
#include "coordinator/submission/estimate.hpp"
#include "tests/coordinator/published_files.hpp"
#include "tests/coordinator/rebuild_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;
using queue::TaskKind;
using testing::HasSubstr;

using test::RebuildTest;

TEST_F(RebuildTest, DoneWindowsAreDoneAndTheRestGoesOnInOrder) {
  const std::string first = accept(60);
  const std::string second = accept(40);
  render(2);
  const auto before = store_->get_tasks(first);
  lose_redis();
  EXPECT_EQ(rebuild(*store_, data_).restored, 2);
  EXPECT_EQ(states(first), "done done done ready waiting ready ");
  EXPECT_EQ(states(second), "ready waiting waiting waiting waiting ");
  const queue::JobRecord record = store_->get_job(first).value();
  EXPECT_EQ(record.fingerprint, test::kFingerprint);
  EXPECT_LT(record.sequence, store_->get_job(second)->sequence);
  const auto after = store_->get_tasks(first);
  EXPECT_EQ(after[2].artifact.path, before[2].artifact.path);
  EXPECT_EQ(after[2].metrics, "{\"seconds\":3}");
  EXPECT_TRUE(fs::exists(data_.absolute(after[2].tail.path)));
  EXPECT_EQ(rebuild(*store_, data_).restored, 0);
  test::render_all(*store_, data_);
  EXPECT_EQ(store_->get_job(first)->state, queue::JobState::done);
  EXPECT_EQ(store_->get_job(second)->state, queue::JobState::done);
}

TEST_F(RebuildTest, AWindowThatIsNotWholeIsRenderedAgain) {
  const std::string job = accept(60);
  render(3);
  std::ofstream(window_of(job, 1) / artifacts::kFramesFile) << "XXXXXX";  // other bytes, and fewer
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_EQ(states(job), "done done ready waiting waiting ready ");
}

TEST_F(RebuildTest, AWindowWhoseBytesAreOthersIsRenderedAgain) {
  const std::string job = accept(60);
  render(3);
  const auto file = window_of(job, 2) / artifacts::kTailFile;
  std::string text = artifacts::read_file(file);
  text[0] = 'X';
  std::ofstream(file) << text;
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_EQ(states(job), "done done done ready waiting ready ");
}

TEST_F(RebuildTest, WindowsOfAnotherFingerprintAreNotMixedIn) {
  const std::string job = accept(60);
  render(3);
  change_manifest(window_of(job, 0), [](artifacts::WindowManifest& manifest) { manifest.fingerprint = "beef"; });
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_EQ(states(job), "done done ready waiting waiting ready ");
  EXPECT_EQ(store_->get_job(job)->fingerprint, "beef");
}

TEST_F(RebuildTest, AWindowThatGoesOnFromAnotherTailIsRenderedAgain) {
  const std::string job = accept(60);
  render(3);
  change_manifest(window_of(job, 2), [](artifacts::WindowManifest& manifest) { manifest.start_sha256 = "another"; });
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_EQ(states(job), "done done done ready waiting ready ");
}

TEST_F(RebuildTest, ADoneJobComesBackDoneAlsoWhenItsWindowsHaveGone) {
  const std::string kept = accept(40);
  const std::string cleaned = accept(40);
  test::render_all(*store_, data_);
  for (const std::string& job : {kept, cleaned}) keep(job);
  fs::remove_all(data_.job_windows(cleaned));
  const queue::JobRecord before = store_->get_job(kept).value();
  lose_redis();
  EXPECT_EQ(rebuild(*store_, data_).restored, 2);
  for (const std::string& job : {kept, cleaned}) {
    const queue::JobRecord record = store_->get_job(job).value();
    EXPECT_EQ(record.state, queue::JobState::done);
    EXPECT_EQ(record.output, "videos/" + job + ".mp4");
    EXPECT_EQ(states(job), "done done done done done ");
  }
  EXPECT_EQ(store_->get_job(kept)->finished, before.finished);
  queue::JobSpec take = before.spec;
  take.parent = cleaned;
  take.from_window = 1;
  take.request_id.clear();
  const std::string refused = store_->submit(take).job;
  Inbox(*store_, data_).process();
  EXPECT_THAT(store_->get_job(refused)->error.message, HasSubstr("use resubmit"));
}

TEST_F(RebuildTest, WindowsWhoseTimesAreLostTellNothingAboutTheTimeOfOthers) {
  const std::string lost = accept(40);
  test::render_all(*store_, data_);
  keep(lost);
  queue::Plan plan;
  for (const queue::TaskRecord& task : store_->get_tasks(lost)) plan.tasks.push_back(task.spec);
  EXPECT_EQ(estimate_window(*store_, plan).value().samples, 3);
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_FALSE(estimate_window(*store_, plan));
  accept(40);
  test::render_all(*store_, data_);
  const WindowEstimate fresh = estimate_window(*store_, plan).value();
  EXPECT_EQ(fresh.samples, 3);
  EXPECT_LT(fresh.seconds, 60);
}

TEST_F(RebuildTest, AFailedJobComesBackFailedUnlessItWasRetried) {
  const std::string failed = accept(40);
  const std::string retried = accept(40);
  for (int job = 0; job < 2; ++job) {
    const auto lease = test::claim(*store_, TaskKind::image);
    ASSERT_TRUE(lease);
    store_->fail(lease->token, queue::FailureClass::data, "the prompt is beyond it");
  }
  for (const std::string& job : {failed, retried}) keep(job);
  store_->retry(retried);
  keep(retried);
  lose_redis();
  rebuild(*store_, data_);
  EXPECT_EQ(store_->get_job(failed)->state, queue::JobState::failed);
  EXPECT_EQ(store_->get_job(failed)->error.message, "the prompt is beyond it");
  EXPECT_EQ(store_->get_job(retried)->state, queue::JobState::queued);
}

TEST_F(RebuildTest, AJobCancelledBetweenItsFileAndAcceptStaysCancelled) {
  const std::string accepted = accept(40);
  const std::string job = store_->submit(request()).job;
  JobFile file = read_job_file(data_, accepted).value();
  file.job = job;
  for (queue::TaskSpec& task : file.plan.tasks) {
    task.job = job;
    task.id = queue::task_id(job, task.kind, task.window);
    for (queue::Dependency& on : task.depends) on.task.replace(0, job.size(), job);
  }
  create_job_file(data_, file);  // and its coordinator is killed
  store_->cancel(job);
  keep(job);
  lose_redis();
  EXPECT_EQ(rebuild(*store_, data_).restored, 2);
  EXPECT_EQ(store_->get_job(job)->state, queue::JobState::cancelled);
  EXPECT_TRUE(store_->get_job(job)->closed);
}

TEST_F(RebuildTest, AnUnreadableJobFileGoesToTheDeadLettersAndTheOthersComeBack) {
  const std::string torn = accept(40);
  const std::string good = accept(40);
  std::ofstream(data_.job_file(torn)) << "{\"schema\": 1, \"jo";
  lose_redis();
  const RebuildResult result = rebuild(*store_, data_);
  EXPECT_EQ(result.restored, 1);
  EXPECT_EQ(result.unreadable, 1);
  EXPECT_EQ(store_->get_job(good)->state, queue::JobState::queued);
  ASSERT_EQ(store_->dead_letters().size(), 1U);
  EXPECT_EQ(store_->dead_letters()[0].subject, torn);
  EXPECT_EQ(rebuild(*store_, data_).unreadable, 0);
}

TEST_F(RebuildTest, AnUnreadableStateFileIsPassedByAndTheWorkIsLookedAt) {
  const std::string job = accept(40);
  test::render_all(*store_, data_);
  std::ofstream(data_.job_state(job)) << "{";
  lose_redis();
  EXPECT_EQ(rebuild(*store_, data_).restored, 1);
  EXPECT_EQ(states(job), "done done done done ready ");
}

TEST_F(RebuildTest, BundlesAreKnownAgain) {
  accept(40);
  lose_redis();
  rebuild(*store_, data_);
  ASSERT_EQ(store_->list_bundles().size(), 1U);
  EXPECT_EQ(store_->list_bundles()[0].hash, test::sample_bundle().hash);
}

TEST_F(RebuildTest, TwoCoordinatorsAtOnceDoNoHarm) {
  std::vector<std::string> jobs;
  jobs.reserve(20);
  for (int i = 0; i < 20; ++i) jobs.push_back(accept(40));
  lose_redis();
  const auto work = [&] {
    queue::JobStore store(options_);
    rebuild(store, data_);
  };
  {
    const std::jthread one(work);
    const std::jthread other(work);
  }
  for (const std::string& job : jobs) EXPECT_EQ(states(job), "ready waiting waiting waiting waiting ");
  test::render_all(*store_, data_);
  for (const std::string& job : jobs) EXPECT_EQ(store_->get_job(job)->state, queue::JobState::done);
}

}  // namespace
}  // namespace reelfarm::coordinator
