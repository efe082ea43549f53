#include <gmock/gmock.h>

#include <fstream>

#include "coordinator/janitor.hpp"
#include "coordinator/kept_state.hpp"
#include "coordinator/output_placement.hpp"
#include "pipeline/artifacts/file.hpp"
#include "tests/coordinator/farm_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

class PlacementTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(data_.videos());
    fs::create_directories(out_);
    std::ofstream(data_.videos() / "one.mp4") << "the video";
  }
  queue::JobRecord done_job(const std::string& id, const std::string& output) const {
    queue::JobRecord job;
    job.id = id;
    job.state = queue::JobState::done;
    job.output = "videos/one.mp4";
    job.spec.seed = 3;
    job.spec.output = output;
    return job;
  }
  test::TemporaryFolder folder_;
  queue::DataFolder data_{folder_.path() / "data"};
  fs::path out_ = folder_.path() / "out";
};

TEST_F(PlacementTest, ACopyIsPutOnceAndNothingElseStaysBehind) {
  const auto job = done_job("j1", (out_ / "new/{seed}.mp4").string());
  EXPECT_FALSE(placed_output(data_, "j1"));
  EXPECT_EQ(place_output(data_, job), out_ / "new/3.mp4");
  EXPECT_EQ(place_output(data_, job), out_ / "new/3.mp4");
  EXPECT_EQ(placed_output(data_, "j1"), out_ / "new/3.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "new/3.mp4"), "the video");
  EXPECT_EQ(std::distance(fs::directory_iterator(out_ / "new"), fs::directory_iterator()), 1);
}

TEST_F(PlacementTest, AFileThatIsThereIsNeverOverwritten) {
  std::ofstream(out_ / "x.mp4") << "mine";
  const std::string output = (out_ / "x.mp4").string();
  EXPECT_EQ(place_output(data_, done_job("j1", output)), out_ / "x_v2.mp4");
  EXPECT_EQ(place_output(data_, done_job("j2", output)), out_ / "x_v3.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "mine");
  auto job = done_job("j3", output);
  job.spec.overwrite = true;
  EXPECT_EQ(place_output(data_, job), out_ / "x.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "the video");
}

TEST_F(PlacementTest, ACrashAfterTheRenameDoesNotLeadToASecondCopy) {
  const auto job = done_job("j1", (out_ / "x.mp4").string());
  place_output(data_, job);
  std::ofstream(data_.job_placement("j1"))
      << R"({"schema":1,"path":")" << (out_ / "x.mp4").string() << R"(","done":false})";
  EXPECT_EQ(place_output(data_, job), out_ / "x.mp4");
  EXPECT_FALSE(fs::exists(out_ / "x_v2.mp4"));
}

TEST_F(PlacementTest, ACrashBeforeTheRenameIsMadeGood) {
  const auto job = done_job("j1", (out_ / "x.mp4").string());
  fs::create_directories(data_.job("j1"));
  std::ofstream(data_.job_placement("j1"))
      << R"({"schema":1,"path":")" << (out_ / "x.mp4").string() << R"(","done":false})";
  EXPECT_EQ(place_output(data_, job), out_ / "x.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "the video");
}

TEST_F(PlacementTest, AnotherTakeReplacesTheFarmsOwnCopyAndNothingElse) {
  std::ofstream(data_.videos() / "two.mp4") << "another take";
  const auto first = done_job("j1", (out_ / "x.mp4").string());
  auto second = done_job("j2", "");
  second.output = "videos/two.mp4";
  second.spec.take = 2;
  EXPECT_EQ(place_take(data_, first, first), out_ / "x.mp4");
  EXPECT_EQ(placed_take(data_, "j1"), 1);
  EXPECT_EQ(place_take(data_, first, second), out_ / "x.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "another take");
  EXPECT_EQ(placed_take(data_, "j1"), 2);
  EXPECT_EQ(place_take(data_, first, first), out_ / "x.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "the video");
  std::ofstream(out_ / "x.mp4") << "mine now";
  EXPECT_EQ(place_take(data_, first, second), out_ / "x_v2.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "mine now");
  EXPECT_EQ(artifacts::read_file(out_ / "x_v2.mp4"), "another take");
}

TEST_F(PlacementTest, ATakeWhoseOutputNamesItLiesBesideTheOthers) {
  const auto first = done_job("j1", (out_ / "x_{take}.mp4").string());
  auto second = done_job("j2", "");
  second.spec.take = 2;
  EXPECT_EQ(place_take(data_, first, first), out_ / "x_1.mp4");
  EXPECT_EQ(place_take(data_, first, second), out_ / "x_2.mp4");
  EXPECT_TRUE(fs::exists(out_ / "x_1.mp4"));
}

TEST_F(PlacementTest, ACrashWhileATakeReplacesAnotherIsMadeGood) {
  std::ofstream(data_.videos() / "two.mp4") << "another take";
  const auto first = done_job("j1", (out_ / "x.mp4").string());
  auto second = done_job("j2", "");
  second.output = "videos/two.mp4";
  second.spec.take = 2;
  place_take(data_, first, first);
  // As it stands before the rename: whose the place is to be, and what it is that may be replaced.
  std::string text = artifacts::read_file(data_.job_placement("j1"));
  text.replace(text.find("true"), 4, "false");
  text.replace(text.find("\"take\":1"), 8, "\"take\":2");
  artifacts::write_file_durably(data_.job_placement("j1"), text);
  EXPECT_EQ(place_take(data_, first, second), out_ / "x.mp4");
  EXPECT_EQ(artifacts::read_file(out_ / "x.mp4"), "another take");
  EXPECT_FALSE(fs::exists(out_ / "x_v2.mp4"));
}

TEST_F(PlacementTest, AJobWhoseOutputIsALinkOutOfTheRootIsNotUnderIt) {
  fs::create_directories(folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", out_ / "link");
  EXPECT_TRUE(lies_under(out_ / "a/b.mp4", out_));
  EXPECT_FALSE(lies_under(out_ / "link/b.mp4", out_));
  EXPECT_FALSE(lies_under(folder_.path() / "outer.mp4", out_));
  EXPECT_FALSE(lies_under(out_ / "a.mp4", ""));
}

TEST_F(PlacementTest, APathOutsideDataIsRefused) {
  auto job = done_job("j1", (out_ / "x.mp4").string());
  job.output = "../out/secret";
  EXPECT_THROW(place_output(data_, job), queue::DataFolderError);
}

class JanitorTest : public test::FarmTest {
 protected:
  std::string finished_job(queue::JobStore& store, queue::Keep keep) {
    queue::JobSpec spec = request();
    spec.keep = keep;
    spec.image = queue::ImageInput{std::string(64, 'b'), "png", ""};
    const std::string job = store.submit(spec).job;
    queue::Plan plan;
    plan.spec = spec;
    queue::TaskSpec window;
    window.id = queue::task_id(job, queue::TaskKind::window, 0);
    window.job = job;
    window.bundle_hash = "h";
    queue::TaskSpec stitch;
    stitch.id = queue::task_id(job, queue::TaskKind::stitch);
    stitch.job = job;
    stitch.kind = queue::TaskKind::stitch;
    stitch.stitch.windows = 1;
    stitch.depends = {{window.id, queue::DependencyOn::done}};
    plan.tasks = {window, stitch};
    EXPECT_TRUE(store.accept(job, plan));
    for (const auto kind : {queue::TaskKind::window, queue::TaskKind::stitch}) {
      queue::ClaimFilter filter;
      filter.owner = "g1";
      filter.host = "host";
      filter.kinds = {kind};
      filter.bundle_hash = "h";
      filter.fingerprint = "f";
      const auto lease = store.claim(filter);
      EXPECT_TRUE(lease);
      if (!lease) return job;
      const queue::FinishReport report{"d", {"videos/x", "s", 1, 1}, std::nullopt, ""};
      EXPECT_EQ(store.finish(lease->token, report), queue::ReplyCode::ok);
    }
    EXPECT_EQ(store.get_job(job)->state, queue::JobState::done);
    fs::create_directories(data_.job_windows(job) / "w0000");
    std::ofstream(data_.job_file(job)) << "{}";
    EXPECT_TRUE(keep_state(data_, store, store.get_job(job).value()));
    return job;
  }
};

TEST_F(JanitorTest, WindowsOfDoneJobsGoAsTheirKeepSays) {
  queue::JobStore store(store_options());
  const std::string final = finished_job(store, queue::Keep::final);
  const std::string reroll = finished_job(store, queue::Keep::reroll);
  const std::string all = finished_job(store, queue::Keep::all);
  EXPECT_EQ(clean(store, data_, {}).jobs_cleaned, 1);
  EXPECT_FALSE(fs::exists(data_.job_windows(final)));
  EXPECT_TRUE(fs::exists(data_.job_windows(reroll)));
  JanitorOptions soon;
  soon.keep_for_reroll = std::chrono::hours(-1);
  EXPECT_EQ(clean(store, data_, soon).jobs_cleaned, 1);
  EXPECT_FALSE(fs::exists(data_.job_windows(reroll)));
  EXPECT_TRUE(fs::exists(data_.job_windows(all)));
}

TEST_F(JanitorTest, WhatWasLeftOfACleaningIsCleanedTheNextTime) {
  queue::JobStore store(store_options());
  const std::string job = finished_job(store, queue::Keep::final);
  fs::remove_all(data_.job_windows(job));
  fs::create_directories(data_.job_image(job));  // its windows went, and then the coordinator was killed
  EXPECT_EQ(clean(store, data_, {}).jobs_cleaned, 1);
  EXPECT_FALSE(fs::exists(data_.job_image(job)));
  EXPECT_EQ(clean(store, data_, {}).jobs_cleaned, 0);
}

TEST_F(JanitorTest, WindowsStayUntilDataKnowsThatTheJobIsDone) {
  queue::JobStore store(store_options());
  const std::string job = finished_job(store, queue::Keep::final);
  fs::rename(data_.job_state(job), folder_.path() / "state.json");
  EXPECT_EQ(clean(store, data_, {}).jobs_cleaned, 0);
  EXPECT_TRUE(fs::exists(data_.job_windows(job)));
  fs::rename(folder_.path() / "state.json", data_.job_state(job));
  EXPECT_EQ(clean(store, data_, {}).jobs_cleaned, 1);
}

TEST_F(JanitorTest, WhatWasKeptOfUnfinishedWindowsGoesADayAfterTheEnd) {
  queue::JobStore store(store_options());
  const std::string job = finished_job(store, queue::Keep::all);
  fs::create_directories(data_.job_steps(job) / "of-a-window");
  EXPECT_EQ(clean(store, data_, {}).steps_removed, 0);
  EXPECT_TRUE(fs::exists(data_.job_steps(job)));
  JanitorOptions soon;
  soon.stale_after = std::chrono::hours(-1);
  EXPECT_EQ(clean(store, data_, soon).steps_removed, 1);
  EXPECT_FALSE(fs::exists(data_.job_steps(job)));
  EXPECT_TRUE(fs::exists(data_.job_windows(job) / "w0000"));
}

}  // namespace
}  // namespace reelfarm::coordinator
