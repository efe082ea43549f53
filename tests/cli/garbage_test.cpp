// What gc finds while Redis loses jobs and gets them back.
#include "cli/disk/garbage.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/queue/support.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;
using queue::test::add_job;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class GarbageTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(data_.inputs());
    fs::create_directories(data_.jobs());
  }
  std::vector<fs::path> found() {
    std::vector<fs::path> paths;
    // Also what was written this moment, by a clock that may be behind the disk's.
    for (const Garbage& garbage : find_garbage(store_, data_, std::chrono::seconds(-60)).found) {
      paths.push_back(garbage.path);
    }
    return paths;
  }
  static void write(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  /// A cancelled job with an input and a window; its plan is on the disk.
  std::string job_with_files() {
    queue::JobSpec spec = queue::test::make_spec();
    spec.image = queue::ImageInput{kInput, "png", "photo.png"};
    std::string job = add_job(store_, 2, false, spec);
    const auto lease = queue::test::must_claim(store_, queue::test::render_filter("g1"));
    queue::FinishReport report = queue::test::make_report("w");
    report.artifact.path = "jobs/" + job + "/windows/w0000";
    EXPECT_EQ(store_.finish(lease.token, report), queue::ReplyCode::ok);
    EXPECT_EQ(store_.cancel(job).code, queue::ChangeCode::ok);
    const auto stitch = queue::test::must_claim(store_, queue::test::stitch_filter());
    EXPECT_EQ(store_.finish(stitch.token, queue::test::make_report("partial")), queue::ReplyCode::ok);
    write(data_.job_file(job));
    write(data_.job_windows(job) / "w0000" / "frames.mkv");
    write(data_.input(kInput));
    return job;
  }

  const std::string kInput = std::string(64, 'a');
  test::TemporaryFolder folder_;
  queue::DataFolder data_{folder_.path()};
  queue::test::TestFarm farm_;
  queue::JobStore store_ = farm_.make_store();
};

TEST_F(GarbageTest, WhatAJobUsesIsNone) {
  const std::string job = job_with_files();
  EXPECT_THAT(found(), IsEmpty());
  write(data_.job_windows(job) / "w0001_zombie" / "frames.mkv");
  write(data_.input(std::string(64, 'b')));
  EXPECT_THAT(found(),
              UnorderedElementsAre(data_.job_windows(job) / "w0001_zombie", data_.input(std::string(64, 'b'))));
}

TEST_F(GarbageTest, InputsStayWhenAJobCameBackAfterTheJobsWereListed) {
  const std::string job = job_with_files();
  farm_.raw({"ZREM", farm_.keys().jobs(), job});
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(GarbageTest, WindowsStayWhenRedisLosesTheTasksAfterTheJobsWereListed) {
  const std::string job = job_with_files();
  farm_.raw({"DEL", farm_.keys().job_tasks(job)});
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(GarbageTest, OfAJobThatIsOverOneVideoCounts) {
  const std::string job = job_with_files();  // its output is artifacts/partial
  write(data_.videos() / "partial");
  write(data_.videos() / "partial.json");
  write(data_.videos() / (job + "_v1_a1_nonce.mp4"));
  write(data_.videos() / (job + "_v1_a1_nonce.json"));
  write(data_.videos() / "j000000000000_v1_a1_nonce.mp4");
  const std::string running = add_job(store_, 1);
  write(data_.videos() / (running + "_v1_a1_nonce.mp4"));
  EXPECT_THAT(found(), UnorderedElementsAre(data_.videos() / (job + "_v1_a1_nonce.json"),
                                            data_.videos() / (job + "_v1_a1_nonce.mp4")));
}

TEST_F(GarbageTest, NothingOfALostJobIsFoundAndAllOfARemovedOne) {
  const std::string job = job_with_files();
  farm_.raw({"DEL", farm_.keys().job(job)});
  farm_.raw({"ZREM", farm_.keys().jobs(), job});
  const GarbageSearch search = find_garbage(store_, data_, std::chrono::seconds(-60));
  EXPECT_THAT(search.found, IsEmpty());
  EXPECT_EQ(search.notes.size(), 1u);
  fs::rename(data_.job_file(job), data_.removed_job_file(job));
  EXPECT_THAT(found(), UnorderedElementsAre(data_.job(job), data_.input(kInput)));
}

TEST_F(GarbageTest, AnInputThatASubmitTouchesMeanwhileStays) {
  const fs::path input = data_.input(kInput);
  write(input);
  fs::last_write_time(input, fs::file_time_type::clock::now() - std::chrono::hours(2));
  const GarbageSearch search = find_garbage(store_, data_);
  ASSERT_EQ(search.found.size(), 1u);
  fs::last_write_time(input, fs::file_time_type::clock::now());
  EXPECT_FALSE(remove_garbage(search.found[0]));
  EXPECT_TRUE(fs::exists(input));
  fs::last_write_time(input, fs::file_time_type::clock::now() - std::chrono::hours(2));
  EXPECT_TRUE(remove_garbage(search.found[0]));
  EXPECT_FALSE(fs::exists(input));
  EXPECT_FALSE(remove_garbage(search.found[0])) << "somebody else has removed it";
}

}  // namespace
}  // namespace reelfarm::cli
