// A replica that lacks the last moments takes over: what users were told still holds, and every job ends.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "coordinator/kept_state.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/coordinator/published_files.hpp"
#include "tests/coordinator/replicated_redis.hpp"
#include "tests/coordinator/running_coordinator.hpp"

namespace reelfarm::coordinator {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using queue::JobState;
using queue::TaskKind;
using test::eventually;

class FailoverTest : public testing::Test {
 protected:
  FailoverTest() {
    store_.register_bundle(test::sample_bundle());
    fs::create_directories(data_.inputs());
    artifacts::write_file_durably(data_.input(std::string(64, 'b')), "a photo");
  }

  queue::StoreOptions store_options() const {
    queue::StoreOptions options;
    options.url = redis_.url();
    options.lease = 2s;
    options.retry.backoff_base = 1ms;
    return options;
  }
  CoordinatorOptions coordinator_options() const {
    CoordinatorOptions options;
    options.store = store_options();
    options.data = data_.root();
    options.reap_every = 50ms;
    options.poll = 20ms;
    options.retry_pause = 20ms;
    return options;
  }

  JobState state(const std::string& job) {
    const auto record = store_.get_job(job);
    return record ? record->state : JobState::submitted;
  }
  queue::JobSpec spec() const {
    queue::JobSpec spec;
    spec.prompt = "a red kite over a lake";
    spec.seed = 7;
    spec.frames = 40;
    spec.image = queue::ImageInput{std::string(64, 'b'), "png", "photo.png"};
    return spec;
  }
  std::string accepted() {
    std::string job = store_.submit(spec()).job;
    EXPECT_TRUE(eventually([&] { return state(job) == JobState::queued; }));
    return job;
  }
  queue::Lease must_claim(const std::string& job, TaskKind kind = TaskKind::window) {
    auto lease = test::claim(store_, kind);
    EXPECT_TRUE(lease && lease->task.spec.job == job);
    return lease.value();
  }
  void finish(const queue::Lease& lease) {
    EXPECT_EQ(store_.finish(lease.token, test::publish_window(data_, lease)), queue::ReplyCode::ok);
  }
  void publish_video(const queue::Lease& lease) {
    fs::create_directories(data_.videos());
    const auto file = data_.videos() / (lease.task.spec.job + ".mp4");
    artifacts::write_file_durably(file, "the video");
    const queue::Artifact video{data_.relative(file), artifacts::sha256_of_file(file), 9, 40};
    EXPECT_EQ(store_.finish(lease.token, {video.sha256, video, std::nullopt, ""}), queue::ReplyCode::ok);
  }
  void render_windows(const std::string& job, int count) {
    for (int window = 0; window < count; ++window) finish(must_claim(job));
  }
  bool is_kept(const std::string& job, std::int64_t revision) {
    const auto kept = read_kept_state(data_, job);
    return kept && kept->changes.revision == revision;
  }
  bool all_done(const std::vector<std::string>& jobs) {
    test::render_all(store_, data_);
    return std::all_of(jobs.begin(), jobs.end(), [&](const std::string& job) { return state(job) == JobState::done; });
  }

  test::TemporaryFolder folder_;
  test::ReplicatedRedis redis_{folder_.path()};
  queue::DataFolder data_{folder_.path() / "data"};
  queue::JobStore store_{store_options()};
};

TEST_F(FailoverTest, WhatWasRenderedMeanwhileIsRenderedOrFoundAgainAndStaleOwnersHarmNothing) {
  const test::RunningCoordinator running(coordinator_options());
  const std::string job = accepted();
  finish(must_claim(job));
  const queue::Lease held = must_claim(job);
  redis_.stop_replication();
  finish(held);
  const queue::Lease claimed = must_claim(job);
  const std::string late = accepted();
  redis_.fail_over();

  ASSERT_TRUE(eventually([&] { return state(late) == JobState::queued; })) << "its job.json brings it back";
  EXPECT_EQ(store_.tick(claimed.token, {"step", 1, 4, 0.1}), queue::ReplyCode::stale);
  EXPECT_EQ(store_.finish(claimed.token, test::publish_window(data_, claimed)), queue::ReplyCode::stale);
  ASSERT_TRUE(eventually([&] { return all_done({job, late}); }));
  EXPECT_EQ(store_.get_tasks(job)[0].attempt, 1) << "what the replica knew to be done is not done again";
  EXPECT_TRUE(store_.leases().empty());
  EXPECT_TRUE(store_.dead_letters().empty());
}

TEST_F(FailoverTest, EndsAndChangesThatUsersWereToldOfHold) {
  const test::RunningCoordinator running(coordinator_options());
  const std::string done = accepted();
  render_windows(done, 3);
  const std::string cancelled = accepted();
  const std::string paused = accepted();
  redis_.stop_replication();
  publish_video(must_claim(done, TaskKind::stitch));
  const std::string output = store_.get_job(done)->output;
  store_.cancel(cancelled, "not needed");
  store_.pause(paused);
  store_.set_priority(paused, 9);
  ASSERT_TRUE(eventually([&] { return is_kept(done, 1) && is_kept(cancelled, 1) && is_kept(paused, 2); }));
  redis_.fail_over();

  ASSERT_TRUE(eventually([&] {
    return state(done) == JobState::done && state(cancelled) == JobState::cancelled &&
           state(paused) == JobState::paused;
  }));
  EXPECT_EQ(store_.get_job(done)->output, output);
  EXPECT_EQ(store_.get_job(cancelled)->error.message, "not needed");
  EXPECT_EQ(store_.get_job(paused)->priority, 9);
  EXPECT_FALSE(test::claim(store_, TaskKind::window));
  EXPECT_FALSE(test::claim(store_, TaskKind::stitch)) << "the video is not made again";
  store_.resume(paused);
  EXPECT_TRUE(eventually([&] { return all_done({paused}); }));
}

TEST_F(FailoverTest, ASubmitThatNoCoordinatorHadAcceptedIsLostAndMayBeSentAgain) {
  queue::JobSpec asked = spec();
  asked.request_id = "of the evening";
  redis_.stop_replication();
  const std::string lost = store_.submit(asked).job;
  redis_.fail_over();
  const test::RunningCoordinator running(coordinator_options());
  EXPECT_FALSE(store_.get_job(lost));
  const queue::SubmitResult again = store_.submit(asked);
  EXPECT_TRUE(again.created);
  store_.register_bundle(test::sample_bundle());
  EXPECT_TRUE(eventually([&] { return all_done({again.job}); }));
}

}  // namespace
}  // namespace reelfarm::coordinator
