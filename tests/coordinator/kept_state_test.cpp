// What only Redis would know of a job, kept in DATA: changes by operators, and the first frame.
#include "coordinator/kept_state.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/coordinator/rebuild_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;
using queue::JobState;
using queue::TaskKind;

class KeptStateTest : public test::RebuildTest {
 protected:
  std::string submit(const queue::JobSpec& spec) {
    std::string job = store_->submit(spec).job;
    Inbox(*store_, data_).process();
    return job;
  }
  /// The take is done when it returns.
  std::string take_of(const std::string& parent) {
    queue::JobSpec spec = request();
    spec.parent = parent;
    std::string job = submit(spec);
    test::render_all(*store_, data_);
    EXPECT_EQ(store_->get_job(job)->state, JobState::done);
    return job;
  }
  void lose_redis_and_rebuild() {
    lose_redis();
    rebuild(*store_, data_);
  }
};

TEST_F(KeptStateTest, AJobThatNobodyChangedHasNone) {
  const std::string job = accept(40);
  keep(job);
  EXPECT_FALSE(fs::exists(data_.job_state(job)));
}

TEST_F(KeptStateTest, APausedJobComesBackPausedAndCanBeResumed) {
  const std::string job = accept(40);
  store_->pause(job);
  keep(job);
  lose_redis_and_rebuild();
  EXPECT_EQ(store_->get_job(job)->state, JobState::paused);
  EXPECT_FALSE(test::claim(*store_, TaskKind::image));
  EXPECT_EQ(store_->resume(job).code, queue::ChangeCode::ok);
  keep(job);
  lose_redis_and_rebuild();
  EXPECT_EQ(store_->get_job(job)->state, JobState::queued);
  EXPECT_TRUE(test::claim(*store_, TaskKind::image));
}

TEST_F(KeptStateTest, AChangedPriorityComesBack) {
  const std::string first = accept(40);
  const std::string urgent = accept(40);
  store_->set_priority(urgent, 50);
  keep(urgent);
  lose_redis_and_rebuild();
  EXPECT_EQ(store_->get_job(urgent)->priority, 50);
  EXPECT_EQ(store_->get_job(first)->priority, 0);
  EXPECT_EQ(test::claim(*store_, TaskKind::image)->task.spec.job, urgent);
}

TEST_F(KeptStateTest, AnAllowedMixAndAWaivedHoldComeBack) {
  const std::string before = accept(40);
  queue::JobSpec spec = request();
  spec.after = before;
  const std::string waived = submit(spec);
  const std::string held = submit(spec);
  ASSERT_EQ(store_->get_job(waived)->state, JobState::held);
  store_->resume(waived);
  store_->allow_mix(before, true);
  for (const std::string& job : {before, waived, held}) keep(job);
  lose_redis_and_rebuild();
  EXPECT_TRUE(store_->get_job(before)->allow_mix);
  EXPECT_EQ(store_->get_job(waived)->state, JobState::queued);
  EXPECT_EQ(store_->get_job(held)->state, JobState::held);
}

TEST_F(KeptStateTest, TheTakeThatIsUsedComesBack) {
  const std::string first = accept(40);
  test::render_all(*store_, data_);
  const std::string second = take_of(first);
  const std::string third = take_of(first);
  const auto use = [&](int take) {
    ASSERT_EQ(store_->use_take(third, take).code, queue::ChangeCode::ok);
    for (const std::string& job : {first, second, third}) keep(job);
  };
  for (const int take : {1, 2}) {
    use(take);
    lose_redis_and_rebuild();
    EXPECT_EQ(store_->used_take(first), take) << "the newest is 3";
  }
  EXPECT_FALSE(store_->get_job(first)->used);
  EXPECT_TRUE(store_->get_job(second)->used);
}

TEST_F(KeptStateTest, AFirstFrameIsNotDrawnAgainBeforeAnyWindowIsDone) {
  const std::string job = accept(40);
  render(0);
  keep(job);
  lose_redis_and_rebuild();
  EXPECT_EQ(states(job), "done ready waiting waiting waiting ");
  EXPECT_EQ(store_->get_job(job)->fingerprint, test::kFingerprint);
  EXPECT_TRUE(test::claim(*store_, TaskKind::window));
}

TEST_F(KeptStateTest, AFirstFrameOfOtherBytesIsDrawnAgain) {
  const std::string job = accept(40);
  render(0);
  keep(job);
  const auto image = store_->get_task(queue::task_id(job, TaskKind::image));
  artifacts::write_file_durably(data_.absolute(image->artifact.path), "another image");
  lose_redis_and_rebuild();
  EXPECT_EQ(states(job), "ready waiting waiting waiting waiting ");
  EXPECT_EQ(store_->get_job(job)->fingerprint, "");
}

TEST_F(KeptStateTest, AnOlderRecordNeitherOverwritesTheFileNorStaysOlder) {
  const std::string paused = accept(40);
  const std::string cancelled = accept(40);
  const queue::JobRecord older = store_->get_job(paused).value();
  store_->pause(paused);
  keep(paused);
  EXPECT_FALSE(keep_state(data_, *store_, older));
  EXPECT_TRUE(read_kept_state(data_, paused)->changes.paused);
  store_->cancel(cancelled, "not needed");
  keep(cancelled);

  // A server that was given both jobs before they were changed.
  lose_redis();
  fs::rename(data_.job_state(paused), folder_.path() / "paused");
  fs::rename(data_.job_state(cancelled), folder_.path() / "cancelled");
  rebuild(*store_, data_);
  const queue::JobRecord behind = store_->get_job(paused).value();
  const auto lease = test::claim(*store_, TaskKind::image);
  ASSERT_EQ(lease->task.spec.job, paused);
  fs::rename(folder_.path() / "paused", data_.job_state(paused));
  fs::rename(folder_.path() / "cancelled", data_.job_state(cancelled));
  for (const std::string& job : {paused, cancelled}) {
    EXPECT_FALSE(keep_state(data_, *store_, store_->get_job(job).value()));
    bring_back(*store_, data_, job);
    keep(job);
  }
  EXPECT_EQ(store_->get_job(paused)->state, JobState::paused);
  EXPECT_EQ(store_->get_job(paused)->sequence, behind.sequence);
  EXPECT_EQ(store_->renew(lease->token), queue::ReplyCode::stale);
  EXPECT_TRUE(store_->leases().empty());
  EXPECT_EQ(store_->get_job(cancelled)->state, JobState::cancelled);
  EXPECT_EQ(store_->get_job(cancelled)->error.message, "not needed");
  EXPECT_FALSE(test::claim(*store_, TaskKind::image));
  store_->resume(paused);
  test::render_all(*store_, data_);
  EXPECT_EQ(store_->get_job(paused)->state, JobState::done);
}

}  // namespace
}  // namespace reelfarm::coordinator
