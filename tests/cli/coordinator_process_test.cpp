#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "pipeline/artifacts/file.hpp"
#include "tests/cli/command_line.hpp"

namespace reelfarm {
namespace {

using test::eventually;
using test::Running;
using testing::HasSubstr;

class CoordinatorProcess : public testing::Test {
 protected:
  CoordinatorProcess() : redis_(redis_options()), store_(store_options()) {
    store_.register_bundle(test::sample_bundle());
  }
  queue::PrivateRedisOptions redis_options() const {
    queue::PrivateRedisOptions options;
    options.directory = line_.path("redis");
    options.fsync = queue::AppendFsync::no;
    return options;
  }
  queue::StoreOptions store_options() const {
    queue::StoreOptions options;
    options.url = redis_.url();
    return options;
  }
  Running start() {
    return line_.start_program("reelfarm-coordinator", {"--redis", redis_.url(), "--data", data_.root().string()});
  }
  std::vector<std::string> submit(int count) {
    std::vector<queue::JobSpec> specs(static_cast<std::size_t>(count));
    for (queue::JobSpec& spec : specs) {
      spec.prompt = "a kite";
      spec.frames = 40;
    }
    std::vector<std::string> jobs;
    for (const auto& result : store_.submit_batch(specs)) jobs.push_back(result.job);
    return jobs;
  }
  std::size_t job_files() const {
    std::error_code missing;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(data_.jobs(), missing)) {
      if (std::filesystem::exists(entry.path() / "job.json")) ++count;
    }
    return count;
  }

  test::CommandLine line_;
  queue::PrivateRedis redis_;
  queue::JobStore store_;
  queue::DataFolder data_{line_.path("data")};
};

TEST_F(CoordinatorProcess, KilledAtRandomPointsItLosesNoJobAndAcceptsNoneTwice) {
  constexpr int kRounds = 8;
  constexpr int kJobsPerRound = 25;
  std::mt19937 random(20251102);
  std::vector<std::string> jobs;
  int files_ahead_of_accepts = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (const std::string& job : submit(kJobsPerRound)) jobs.push_back(job);
    const std::size_t before = job_files();
    Running coordinator = start();
    // From the first new file on, it is between writing files and accepting jobs for a while.
    ASSERT_TRUE(eventually([&] { return job_files() > before; })) << coordinator.errors();
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 30'000)(random)));
    coordinator.signal(SIGKILL);
    coordinator.wait();
    queue::JobQuery accepted;
    accepted.states = {queue::JobState::queued};
    if (job_files() > store_.list_jobs(accepted).size()) ++files_ahead_of_accepts;
  }
  EXPECT_GT(files_ahead_of_accepts, 0) << "no kill fell between job.json and accept";
  Running coordinator = start();
  ASSERT_TRUE(eventually([&] { return store_.read_inbox(1).empty(); })) << coordinator.errors();
  coordinator.signal(SIGTERM);
  EXPECT_EQ(coordinator.wait().code, 0);

  std::set<std::string> found;
  for (const queue::JobRecord& job : store_.list_jobs()) EXPECT_TRUE(found.insert(job.id).second);
  EXPECT_EQ(found, std::set<std::string>(jobs.begin(), jobs.end()));
  EXPECT_EQ(job_files(), jobs.size());
  for (const std::string& job : jobs) {
    const auto record = store_.get_job(job);
    ASSERT_EQ(record->state, queue::JobState::queued);
    EXPECT_EQ(store_.get_tasks(job).size(), 5U);  // image, three windows, stitch
    const auto file = nlohmann::json::parse(artifacts::read_file(data_.job_file(job)));
    EXPECT_EQ(file.at("tasks").size(), 5U);
  }
}

TEST_F(CoordinatorProcess, SigtermStopsItAtOnceAndCleanly) {
  Running coordinator = start();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_.coordinator_file()); })) << coordinator.errors();
  coordinator.signal(SIGTERM);
  const test::Ended ended = coordinator.wait(std::chrono::seconds(5));
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.errors, HasSubstr("state=stopping"));
}

TEST_F(CoordinatorProcess, EachChangeOfStateIsOneLineAndPromptsAreNotLogged) {
  queue::JobSpec bad;
  bad.prompt = "a private wish";
  bad.bundle = "simple";
  Running coordinator = start();
  const std::string good_job = submit(1).front();
  const std::string bad_job = store_.submit(bad).job;
  ASSERT_TRUE(eventually([&] { return coordinator.errors().find(bad_job) != std::string::npos; }));
  ASSERT_TRUE(eventually([&] { return coordinator.errors().find(good_job) != std::string::npos; }));
  EXPECT_THAT(coordinator.errors(), HasSubstr("job=" + good_job + " state=queued windows=3 frames=40"));
  EXPECT_THAT(coordinator.errors(), HasSubstr("job=" + bad_job + " state=rejected reason=\"bundle 'simple'"));
  EXPECT_THAT(coordinator.errors(), testing::Not(HasSubstr("wish")));
}

TEST_F(CoordinatorProcess, ThePageIsNotInThisVersion) {
  const test::Ended ended = line_
                                .start_program("reelfarm-coordinator", {"--redis", redis_.url(), "--data",
                                                                        data_.root().string(), "--listen", ":8080"})
                                .wait();
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("not in this version"));
}

}  // namespace
}  // namespace reelfarm
