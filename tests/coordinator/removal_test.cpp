// Removals that are interrupted, and a Redis that forgets them.
#include "coordinator/removal.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>
#include <vector>

#include "coordinator/janitor.hpp"
#include "tests/coordinator/rebuild_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;
using queue::Standing;
using testing::ElementsAre;

class RemovalTest : public test::RebuildTest {
 protected:
  /// A done job with windows, state.json and a video.
  std::string done_job() {
    std::string job = accept(40);
    test::render_all(*store_, data_);
    keep(job);
    const std::string output = store_->get_job(job)->output;
    fs::create_directories(data_.videos());
    for (const fs::path& file : {data_.absolute(output), data_.absolute(output).replace_extension(".json")}) {
      std::ofstream(file) << "x";
    }
    return job;
  }
  fs::path video_of(const std::string& job) { return data_.absolute(store_->get_job(job)->output); }
  Standing standing(const std::string& job) { return store_->standing({job}).at(0); }
};

TEST(RemoveTree, GoesOnWhereSomebodyStillWrites) {
  const test::TemporaryFolder folder;
  for (int round = 0; round < 50; ++round) {
    const fs::path tree = folder.path() / "tree";
    for (int i = 0; i < 20; ++i) fs::create_directories(tree / std::to_string(i));
    std::thread writer([&] {
      for (int i = 0; i < 40; ++i) std::ofstream(tree / ("late" + std::to_string(i))) << "x";
    });
    EXPECT_NO_THROW(remove_tree(tree));
    writer.join();
    EXPECT_FALSE(fs::exists(tree));
  }
}

TEST_F(RemovalTest, KilledBeforeAnyFileWentTheJobStaysAwayAndTheJanitorEndsIt) {
  const std::string job = done_job();
  const fs::path video = video_of(job);
  ASSERT_EQ(store_->forget(job).code, queue::ChangeCode::ok);  // and `rm` is killed
  EXPECT_EQ(rebuild(*store_, data_).restored, 0);
  EXPECT_EQ(standing(job), Standing::removing);
  EXPECT_EQ(clean(*store_, data_, {}).removals_ended, 1);
  EXPECT_FALSE(fs::exists(data_.job(job)));
  EXPECT_TRUE(fs::exists(video));
  EXPECT_EQ(standing(job), Standing::unknown);
  EXPECT_EQ(clean(*store_, data_, {}).removals_ended, 0);
}

TEST_F(RemovalTest, TheJanitorTakesTheVideoToo) {
  const std::string job = done_job();
  const fs::path video = video_of(job);
  ASSERT_EQ(store_->forget(job, true).code, queue::ChangeCode::ok);
  EXPECT_EQ(clean(*store_, data_, {}).removals_ended, 1);
  EXPECT_FALSE(fs::exists(video));
  EXPECT_FALSE(fs::exists(fs::path(video).replace_extension(".json")));
}

TEST_F(RemovalTest, WhatIsInTheWayIsSaidAndTriedAgain) {
  const std::string job = done_job();
  ASSERT_EQ(store_->forget(job, true).code, queue::ChangeCode::ok);
  const queue::Removal elsewhere{job, "../elsewhere.mp4"};
  EXPECT_THROW(remove_files(*store_, data_, elsewhere), queue::DataFolderError);
  EXPECT_EQ(standing(job), Standing::removing);
  EXPECT_FALSE(fs::exists(data_.job_file(job))) << "the plan goes first of all";
  EXPECT_EQ(finish_removals(*store_, data_), 1);
  EXPECT_FALSE(fs::exists(data_.job(job)));
}

TEST_F(RemovalTest, ARedisThatLosesTheMarkLearnsItFromDisk) {
  const std::string job = done_job();
  const std::string other = done_job();
  ASSERT_EQ(store_->forget(job).code, queue::ChangeCode::ok);
  fs::rename(data_.job_file(job), data_.removed_job_file(job));  // what comes first; then `rm` is killed
  lose_redis();
  EXPECT_EQ(rebuild(*store_, data_).restored, 1);
  EXPECT_THAT(store_->standing({job, other}), ElementsAre(Standing::removing, Standing::known));
  EXPECT_EQ(clean(*store_, data_, {}).removals_ended, 1);
  EXPECT_FALSE(fs::exists(data_.job(job)));
  EXPECT_TRUE(fs::exists(data_.job_file(other)));
}

TEST_F(RemovalTest, MayBeDoneBySeveralAtOnce) {
  const std::string job = done_job();
  for (int file = 0; file < 300; ++file) {
    const fs::path path = data_.job_windows(job) / ("w" + std::to_string(file)) / "frames.mkv";
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  ASSERT_EQ(store_->forget(job, true).code, queue::ChangeCode::ok);
  const queue::Removal removal = store_->removals().at(0);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      queue::JobStore store(options_);
      EXPECT_NO_THROW(remove_files(store, data_, removal));
    });
  }
  threads.clear();
  EXPECT_FALSE(fs::exists(data_.job(job)));
  EXPECT_TRUE(store_->removals().empty());
}

TEST_F(RemovalTest, MayBeDoneTwice) {
  const std::string job = done_job();
  ASSERT_EQ(store_->forget(job, true).code, queue::ChangeCode::ok);
  const queue::Removal removal = store_->removals().at(0);
  remove_files(*store_, data_, removal);
  remove_files(*store_, data_, removal);
  EXPECT_TRUE(store_->removals().empty());
}

}  // namespace
}  // namespace reelfarm::coordinator
