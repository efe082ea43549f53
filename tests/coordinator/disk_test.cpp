#include "coordinator/disk.hpp"

#include <gmock/gmock.h>

#include "coordinator/data_marker.hpp"
#include "coordinator/inbox.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/coordinator/published_files.hpp"

namespace reelfarm::coordinator {
namespace {

using testing::HasSubstr;

TEST(IsFull, AboveTheMarkUntilAPercentBelowIt) {
  const auto used = [](std::uint64_t percent) { return DiskSpace{1000 - 10 * percent, 1000}; };
  EXPECT_FALSE(is_full(used(95), 95, false));
  EXPECT_TRUE(is_full(used(96), 95, false));
  EXPECT_TRUE(is_full(used(95), 95, true));
  EXPECT_FALSE(is_full(used(94), 95, true));
  EXPECT_FALSE(is_full(used(100), 100, false));
}

TEST(MeasureDisk, KnowsARealFolderAndNoOther) {
  const auto space = measure_disk(std::filesystem::temp_directory_path());
  ASSERT_TRUE(space);
  EXPECT_GT(space->capacity, 0U);
  EXPECT_LE(space->free, space->capacity);
  EXPECT_FALSE(measure_disk("/no/such/folder"));
}

class DiskTest : public test::FarmTest {
 protected:
  void SetUp() override {
    store_.emplace(store_options());
    claim_data_folder(data_, store_->adopt_farm_id());
    store_->register_bundle(test::sample_bundle());
  }
  MeasureDisk measure() {
    return [this](const std::filesystem::path&) { return std::optional(space_); };
  }
  void watch() { watch_disk(*store_, data_.root(), 95, measure()); }

  std::optional<queue::JobStore> store_;
  DiskSpace space_{std::uint64_t{1} << 40, std::uint64_t{2} << 40};
};

TEST_F(DiskTest, WindowsWaitWhileItIsAboveTheMark) {
  watch();
  EXPECT_FALSE(store_->disk_state()->full);
  store_->submit(request());
  Inbox(*store_, data_).process();
  space_.free = space_.capacity / 100;
  watch();
  EXPECT_TRUE(store_->disk_state()->full);
  EXPECT_FALSE(test::claim(*store_, queue::TaskKind::image));
  space_.free = space_.capacity / 10;
  watch();
  EXPECT_TRUE(test::claim(*store_, queue::TaskKind::image));
}

TEST_F(DiskTest, AJobThatDoesNotFitWaitsForThoseBeforeIt) {
  queue::JobSpec spec = request();
  spec.frames = 60;
  Inbox inbox(*store_, data_, measure());
  const std::string first = store_->submit(spec).job;
  EXPECT_EQ(inbox.process().accepted, 1);
  const std::uint64_t need = store_->get_job(first)->bytes_needed;
  space_.free = 2 * need - 1;
  const std::string second = store_->submit(spec).job;
  EXPECT_EQ(inbox.process().waiting, 1);
  EXPECT_EQ(store_->get_job(second)->state, queue::JobState::submitted);
  EXPECT_THAT(store_->get_job(second)->waiting, HasSubstr("MiB of disk"));
  store_->cancel(first);
  EXPECT_EQ(inbox.process().accepted, 1);
}

TEST_F(DiskTest, JobsOfOnePassDoNotPromiseTheSameRoomTwice) {
  queue::JobSpec spec = request();
  spec.frames = 60;
  Inbox inbox(*store_, data_, measure());
  store_->submit(spec);
  inbox.process();
  space_.free = 3 * store_->reserved_bytes();
  for (int job = 0; job < 4; ++job) store_->submit(spec);
  const InboxResult result = inbox.process();
  EXPECT_EQ(result.accepted, 2);
  EXPECT_EQ(result.waiting, 2);
}

TEST_F(DiskTest, ALargeJobThatWaitsIsNotOvertakenBySmallOnesOfItsPriority) {
  queue::JobSpec large = request();
  large.frames = 600;
  queue::JobSpec small = request();
  small.frames = 17;
  Inbox inbox(*store_, data_, measure());
  const std::string before = store_->submit(large).job;
  inbox.process();
  const std::uint64_t need = store_->get_job(before)->bytes_needed;
  space_.free = need + need / 2;
  const std::string waits = store_->submit(large).job;
  const std::string behind = store_->submit(small).job;
  small.priority = 1;
  const std::string urgent = store_->submit(small).job;
  const InboxResult result = inbox.process();
  EXPECT_EQ(result.accepted, 1);
  EXPECT_EQ(result.waiting, 2);
  EXPECT_EQ(store_->get_job(urgent)->state, queue::JobState::queued);
  EXPECT_THAT(store_->get_job(waits)->waiting, HasSubstr("not free"));
  EXPECT_THAT(store_->get_job(behind)->waiting, HasSubstr(waits + " is before it in the line"));
  store_->cancel(before);
  EXPECT_EQ(inbox.process().accepted, 2) << "there is room for both, in their order";
}

TEST_F(DiskTest, AnUrgentJobHasTheRoomBeforeOlderOnesOfLowerPriority) {
  queue::JobSpec spec = request();
  spec.frames = 60;
  Inbox inbox(*store_, data_, measure());
  const std::string before = store_->submit(spec).job;
  inbox.process();
  space_.free = 2 * store_->get_job(before)->bytes_needed;
  const std::string older = store_->submit(spec).job;
  spec.priority = 1;
  const std::string urgent = store_->submit(spec).job;
  EXPECT_EQ(inbox.process().accepted, 1);
  EXPECT_EQ(store_->get_job(urgent)->state, queue::JobState::queued);
  EXPECT_EQ(store_->get_job(older)->state, queue::JobState::submitted);
}

TEST_F(DiskTest, AJobThatNeverFitsIsRejected) {
  space_ = {1 << 20, 1 << 20};
  const std::string job = store_->submit(request()).job;
  EXPECT_EQ(Inbox(*store_, data_, measure()).process().rejected, 1);
  EXPECT_THAT(store_->get_job(job)->error.message, HasSubstr("all of"));
}

}  // namespace
}  // namespace reelfarm::coordinator
