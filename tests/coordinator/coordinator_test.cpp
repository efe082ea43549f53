#include "coordinator/coordinator.hpp"

#include <gmock/gmock.h>

#include "coordinator/kept_state.hpp"
#include "pipeline/artifacts/file.hpp"
#include "queue/detail/redis_connection.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/coordinator/published_files.hpp"
#include "tests/coordinator/running_coordinator.hpp"

namespace reelfarm::coordinator {
namespace {

using namespace std::chrono_literals;

using test::eventually;
using test::RunningCoordinator;

class CoordinatorTest : public test::FarmTest {
 protected:
  CoordinatorOptions options() const {
    CoordinatorOptions options;
    options.store = store_options();
    options.store.lease = 300ms;
    options.data = data_.root();
    options.reap_every = 50ms;
    options.poll = 20ms;
    options.retry_pause = 20ms;
    return options;
  }
  static std::optional<queue::Lease> claim(queue::JobStore& store, queue::TaskKind kind) {
    queue::ClaimFilter filter;
    filter.owner = "g1";
    filter.host = "host";
    filter.kinds = {kind};
    filter.bundle_hash = test::sample_bundle().hash;
    filter.fingerprint = "f";
    return store.claim(filter);
  }
  queue::JobSpec request_with_image() const {
    queue::JobSpec spec = request();
    spec.image = queue::ImageInput{std::string(64, 'b'), "png", "photo.png"};
    std::filesystem::create_directories(data_.inputs());
    artifacts::write_file_durably(data_.input(spec.image->sha256), "a photo");
    return spec;
  }
};

TEST_F(CoordinatorTest, JobsAreAcceptedAsTheyComeAndAfterRedisWasAway) {
  queue::JobStore store(store_options());
  store.register_bundle(test::sample_bundle());
  const RunningCoordinator running(options());
  const std::string first = store.submit(request()).job;
  EXPECT_TRUE(eventually([&] { return store.get_job(first)->state == queue::JobState::queued; }));
  server_->kill();
  server_->start();
  const std::string second = store.submit(request()).job;
  EXPECT_TRUE(eventually([&] { return store.get_job(second)->state == queue::JobState::queued; }));
}

TEST_F(CoordinatorTest, ALeaseThatIsNotRenewedEndsAndItsTaskMayBeClaimedAgain) {
  queue::StoreOptions fast = store_options();
  fast.lease = 300ms;
  fast.retry.backoff_base = 1ms;
  queue::JobStore store(fast);
  store.register_bundle(test::sample_bundle());
  const std::string job = store.submit(request_with_image()).job;
  const RunningCoordinator running(options());
  std::optional<queue::Lease> lease;
  ASSERT_TRUE(eventually([&] { return (lease = claim(store, queue::TaskKind::window)).has_value(); }));
  ASSERT_TRUE(eventually([&] { return store.get_task(lease->token.task)->state != queue::TaskState::leased; }));
  EXPECT_EQ(store.get_task(lease->token.task)->losses, 1);
  EXPECT_EQ(store.renew(lease->token), queue::ReplyCode::stale);
}

TEST_F(CoordinatorTest, TheTakeThatIsUsedIsDelivered) {
  queue::JobStore store(store_options());
  store.register_bundle(test::sample_bundle());
  CoordinatorOptions with_root = options();
  with_root.output_root = folder_.path() / "out";
  std::filesystem::create_directories(with_root.output_root);
  const RunningCoordinator running(with_root);
  const auto output = with_root.output_root / "x.mp4";
  const auto render = [&](const queue::JobSpec& spec) {
    const std::string job = store.submit(spec).job;
    EXPECT_TRUE(eventually([&] { return store.get_job(job)->state == queue::JobState::queued; }));
    test::render_all(store, data_);
    return job;
  };
  const auto delivered = [&](const std::string& job) {
    return eventually([&] {
      return std::filesystem::exists(output) && artifacts::read_file(output) == "made by " + job + ".stitch";
    });
  };
  queue::JobSpec spec = request_with_image();
  spec.output = output.string();
  const std::string first = render(spec);
  EXPECT_TRUE(delivered(first));
  spec.parent = first;
  const std::string second = render(spec);
  EXPECT_TRUE(delivered(second)) << "the newest that is done";
  ASSERT_EQ(store.use_take(first, 1).code, queue::ChangeCode::ok);
  EXPECT_TRUE(delivered(first));
  EXPECT_FALSE(std::filesystem::exists(with_root.output_root / "x_v2.mp4"));
}

TEST_F(CoordinatorTest, AFlushedRedisGetsItsFarmAndItsJobsBack) {
  queue::JobStore store(store_options());
  store.register_bundle(test::sample_bundle());
  const RunningCoordinator running(options());
  const std::string farm_id = store.farm_id();
  const std::string done = store.submit(request_with_image()).job;
  ASSERT_TRUE(eventually([&] { return store.get_job(done)->state == queue::JobState::queued; }));
  test::render_all(store, data_);
  ASSERT_EQ(store.get_job(done)->state, queue::JobState::done);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_.job_state(done)); }));
  const std::string queued = store.submit(request_with_image()).job;
  ASSERT_TRUE(eventually([&] { return store.get_job(queued)->state == queue::JobState::queued; }));
  EXPECT_FALSE(std::filesystem::exists(data_.job_state(queued)));
  const std::string paused = store.submit(request_with_image()).job;
  ASSERT_TRUE(eventually([&] { return store.get_job(paused)->state == queue::JobState::queued; }));
  store.pause(paused);
  store.set_priority(paused, 9);
  ASSERT_TRUE(eventually([&] {
    const auto kept = read_kept_state(data_, paused);
    return kept && kept->changes.revision == 2;
  }));
  queue::detail::RedisConnection({.url = queue::RedisUrl::parse(server_->url())}).command({"FLUSHALL"});
  ASSERT_TRUE(eventually([&] { return store.get_job(queued) && store.get_job(done) && store.get_job(paused); }));
  EXPECT_EQ(store.get_job(paused)->state, queue::JobState::paused);
  EXPECT_EQ(store.get_job(paused)->priority, 9);
  EXPECT_EQ(store.farm_id(), farm_id);
  EXPECT_EQ(store.get_job(done)->state, queue::JobState::done);
  EXPECT_EQ(store.get_job(queued)->state, queue::JobState::queued);
}

TEST_F(CoordinatorTest, ADoneJobsCopyIsPutUnderTheOutputRootAlsoWhenItWasDoneBefore) {
  queue::JobStore store(store_options());
  store.register_bundle(test::sample_bundle());
  CoordinatorOptions with_root = options();
  with_root.output_root = folder_.path() / "out";
  std::filesystem::create_directories(with_root.output_root);
  std::filesystem::create_directories(data_.videos());
  const auto finish = [&](const std::string& output) {
    queue::JobSpec spec = request_with_image();
    spec.output = output;
    const std::string job = store.submit(spec).job;
    EXPECT_TRUE(eventually([&] { return store.get_job(job)->state == queue::JobState::queued; }));
    artifacts::write_file_durably(data_.videos() / (job + ".mp4"), "the video");
    for (const auto kind : {queue::TaskKind::window, queue::TaskKind::stitch}) {
      const auto lease = claim(store, kind);
      EXPECT_TRUE(lease);
      const queue::FinishReport report{"d", {"videos/" + job + ".mp4", "s", 9, 1}, std::nullopt, ""};
      EXPECT_EQ(store.finish(lease->token, report), queue::ReplyCode::ok);
    }
  };
  const auto early = with_root.output_root / "early.mp4";
  {
    const RunningCoordinator without_root(options());
    finish(early.string());
    finish((folder_.path() / "outside.mp4").string());
  }
  EXPECT_FALSE(std::filesystem::exists(early));
  const RunningCoordinator running(with_root);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(early); }));
  finish((with_root.output_root / "late.mp4").string());
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(with_root.output_root / "late.mp4"); }));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "outside.mp4"));
}

}  // namespace
}  // namespace reelfarm::coordinator
