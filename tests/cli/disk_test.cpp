#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "queue/job_store.hpp"
#include "tests/cli/job_farm.hpp"

namespace reelfarm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Ended;
using testing::HasSubstr;
using testing::Not;

class Disk : public test::JobFarm {
 protected:
  static std::string done_job() { return enqueue({"--prompt", "x", "--frames", "40", "--wait"}).at("job"); }
  static fs::path folder_of(const std::string& job) { return data() / "jobs" / job; }
  /// A file, or a folder with one, as old as gc wants it.
  static fs::path old_file(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << std::string(10'000, 'x');
    return aged(path);
  }
  static fs::path aged(const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(2));
    return path;
  }
};

TEST_F(Disk, RmTakesOnlyJobsThatAreOver) {
  const std::string running = enqueue({"--prompt", "SLOW"}).at("job");
  ASSERT_TRUE(reaches(running, "running"));
  const Ended refused = run({"rm", running});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("cancel it first"));
  EXPECT_TRUE(fs::exists(folder_of(running) / "job.json"));
  EXPECT_EQ(run({"cancel", running}).code, 0);
  EXPECT_TRUE(test::eventually([&] { return run({"rm", running}).code == 0; }));
  EXPECT_FALSE(fs::exists(folder_of(running)));
}

TEST_F(Disk, RmTakesTheJobsFilesAndTheVideoOnlyWhenAsked) {
  const std::string first = done_job();
  const std::string second = done_job();
  const fs::path first_video = status(first).at("output").get<std::string>();
  const fs::path second_video = status(second).at("output").get<std::string>();
  EXPECT_EQ(run({"rm", first}).code, 0);
  EXPECT_EQ(run({"rm", "--videos", second}).code, 0);
  for (const std::string& job : {first, second}) {
    EXPECT_FALSE(fs::exists(folder_of(job)));
    EXPECT_EQ(run({"status", job}).code, 2);
  }
  EXPECT_TRUE(fs::exists(first_video));
  EXPECT_FALSE(fs::exists(second_video));
}

TEST_F(Disk, RmAndGcEndARemovalThatWasInterrupted) {
  const std::string url = json::parse(std::ifstream(data() / "farm.json")).at("redis");
  queue::StoreOptions options;
  options.url = url;
  queue::JobStore store(options);
  const std::string first = done_job();
  const std::string second = done_job();
  for (const std::string& job : {first, second}) ASSERT_EQ(store.forget(job).code, queue::ChangeCode::ok);
  EXPECT_EQ(run({"status", first}).code, 2);
  EXPECT_TRUE(fs::exists(folder_of(first) / "job.json"));
  const Ended removed = run({"rm", first, first});
  EXPECT_EQ(removed.code, 0) << removed.errors;
  EXPECT_FALSE(fs::exists(folder_of(first)));
  EXPECT_THAT(run({"gc", "--dry-run"}).output, HasSubstr("interrupted"));
  EXPECT_TRUE(fs::exists(folder_of(second)));
  EXPECT_EQ(run({"gc"}).code, 0);
  EXPECT_FALSE(fs::exists(folder_of(second)));
  EXPECT_TRUE(store.removals().empty());
  EXPECT_EQ(run({"rm", first}).code, 2);
}

TEST_F(Disk, DuCountsWhatJobsHold) {
  const std::string job = done_job();
  old_file(folder_of(job) / "windows" / "w0009" / "frames.mkv");
  const json usage = json::parse(run({"du", "--json", job}).output);
  EXPECT_EQ(usage.at("job"), job);
  EXPECT_GE(usage.at("windows"), 10'000);
  EXPECT_GT(usage.at("video"), 0);
  const std::string all = run({"du"}).output;
  EXPECT_THAT(all, HasSubstr(job));
  EXPECT_THAT(all, HasSubstr("free "));
  const json farm = test::json_lines(run({"du", "--json"}).output).back();
  EXPECT_GE(farm.at("total"), usage.at("windows"));
  EXPECT_GT(farm.at("capacity"), farm.at("total"));
}

TEST_F(Disk, GcTakesWhatNobodyNeedsAndNothingElse) {
  const std::string job = done_job();
  const auto windows = folder_of(job) / "windows";
  std::size_t before = 0;
  for (const auto& entry : fs::directory_iterator(windows)) before += aged(entry.path()).empty() ? 0 : 1;
  ASSERT_GT(before, 0U);
  old_file(windows / "w0001_t1_a9_zombie" / "frames.mkv");
  aged(windows / "w0001_t1_a9_zombie");
  const fs::path young = windows / "w0001_t1_a8_zombie";
  fs::create_directories(young);
  const fs::path input = old_file(data() / "inputs" / std::string(64, 'f'));
  const Ended dry = run({"gc", "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.errors;
  EXPECT_THAT(dry.output, HasSubstr("w0001_t1_a9_zombie"));
  EXPECT_THAT(dry.output, HasSubstr(std::string(64, 'f')));
  EXPECT_THAT(dry.output, HasSubstr("would be freed"));
  EXPECT_TRUE(fs::exists(input));
  const Ended ended = run({"gc"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_FALSE(fs::exists(input));
  EXPECT_FALSE(fs::exists(windows / "w0001_t1_a9_zombie"));
  EXPECT_TRUE(fs::exists(young));
  std::size_t after = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(windows)) ++after;
  EXPECT_EQ(after, before + 1) << "what tasks refer to stays, and what is young";
}

TEST_F(Disk, GcLeavesJobsThatAreNotOverAlone) {
  const std::string job = enqueue({"--prompt", "SLOW", "--frames", "40"}).at("job");
  ASSERT_TRUE(reaches(job, "running"));
  const auto zombie = folder_of(job) / "windows" / "w0000_t1_a9_zombie";
  old_file(zombie / "frames.mkv");
  aged(zombie);
  EXPECT_EQ(run({"gc"}).code, 0);
  EXPECT_TRUE(fs::exists(zombie));
  EXPECT_EQ(run({"cancel", job}).code, 0);
  EXPECT_TRUE(test::eventually([&] { return run({"gc"}).code == 0 && !fs::exists(zombie); }));
  EXPECT_TRUE(fs::exists(folder_of(job) / "job.json"));
}

TEST_F(Disk, GcTakesFoldersOfRemovedJobsAndLeavesThoseThatRedisHasLost) {
  const std::string removed = done_job();
  const Ended rm = run({"rm", removed});
  ASSERT_EQ(rm.code, 0) << rm.errors;
  old_file(folder_of(removed) / "windows" / "w0000" / "frames.mkv");
  aged(folder_of(removed));
  const fs::path lost = folder_of("j000000000000");
  old_file(lost / "job.json");
  aged(lost);
  const Ended ended = run({"gc", "--json"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.errors, HasSubstr("a coordinator brings them back"));
  EXPECT_THAT(ended.output, Not(HasSubstr("j000000000000")));
  EXPECT_TRUE(fs::exists(lost));
  EXPECT_FALSE(fs::exists(folder_of(removed)));
  fs::remove_all(lost);
}

TEST_F(Disk, AnotherFarmsFolderIsNotTouched) {
  const fs::path marker = line_->path("other/farm.id");
  fs::create_directories(marker.parent_path());
  std::ofstream(marker) << "another-farm\n";
  const std::string url = json::parse(std::ifstream(data() / "farm.json")).at("redis");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"gc"}, {"du"}, {"rm", "j000000000000"}}) {
    std::vector<std::string> line = words;
    for (const std::string& word :
         {std::string("--redis"), url, std::string("--data"), line_->path("other").string()}) {
      line.push_back(word);
    }
    const Ended ended = run(line);
    EXPECT_EQ(ended.code, 2) << words[0];
    EXPECT_THAT(ended.errors, HasSubstr("another-farm")) << words[0];
  }
}

}  // namespace
}  // namespace reelfarm
