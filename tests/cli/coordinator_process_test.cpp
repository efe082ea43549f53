#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "pipeline/artifacts/file.hpp"
#include "tests/cli/command_line.hpp"
#include "tests/coordinator/http/raw_client.hpp"

namespace reelfarm {
namespace {

using nlohmann::json;
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
  Running start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"--redis", redis_.url(), "--data", data_.root().string()};
    words.insert(words.end(), more.begin(), more.end());
    return line_.start_program("reelfarm-coordinator", words);
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

TEST_F(CoordinatorProcess, TellsWhoeverItsFileNames) {
  const auto told = line_.path("told");
  const json receivers = {{{"name", "log"}, {"command", {"/bin/sh", "-c", "cat >> " + told.string()}}}};
  const auto file = line_.write("notify.json", json{{"receivers", receivers}}.dump());
  line_.environment["REELFARM_NOTIFY"] = file.string();
  Running coordinator = start();
  ASSERT_TRUE(eventually([&] { return coordinator.errors().find("notify=watching") != std::string::npos; }));
  queue::JobSpec spec;
  spec.prompt = "a kite";
  spec.frames = 40;
  spec.batch = "night";
  const std::string job = store_.submit(spec).job;
  ASSERT_TRUE(eventually([&] { return store_.cancel(job).code == queue::ChangeCode::ok; }));
  json notice;
  ASSERT_TRUE(eventually([&] {
    notice = json::parse(std::ifstream(told), nullptr, false);
    return notice.is_object();
  })) << coordinator.errors();
  EXPECT_EQ(notice.at("text"), "batch night has finished: 1 cancelled");
  const test::Ended bad = start({"--notify", line_.write("bad.json", "{}").string()}).wait();
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.errors, HasSubstr("bad.json: receivers must be a list"));
}

class CoordinatorPage : public CoordinatorProcess {
 protected:
  /// Where it serves, as it says in DATA; port 0 until it does.
  http::Address page() const {
    const auto text = artifacts::read_file_if_there(data_.coordinator_file());
    const std::string url = text ? nlohmann::json::parse(*text).value("page", "") : "";
    return url.empty() ? http::Address() : http::parse_address(url.substr(std::string("http://").size()));
  }
};

TEST_F(CoordinatorPage, IsWhereTheOptionAndDataSay) {
  Running coordinator = start({"--listen", "127.0.0.1:0"});
  ASSERT_TRUE(eventually([&] { return page().port != 0; })) << coordinator.errors();
  EXPECT_EQ(test::ask(page(), "/healthz").body, R"({"ok":true})");
  const std::string taken = page().url().substr(std::string("http://").size());
  const test::Ended second = start({"--listen", taken}).wait();
  EXPECT_EQ(second.code, 2);
  EXPECT_THAT(second.errors, HasSubstr("cannot listen on http://" + taken + ": Address already in use"));
  coordinator.signal(SIGTERM);
  EXPECT_EQ(coordinator.wait().code, 0);
}

TEST_F(CoordinatorPage, NeedsATokenForTheWorldAndNeverShowsIt) {
  const test::Ended open = start({"--listen", "0.0.0.0:0"}).wait();
  EXPECT_EQ(open.code, 2);
  EXPECT_THAT(open.errors, HasSubstr("needs a token"));
  EXPECT_EQ(start({"--listen", "nonsense"}).wait().code, 2);
  const std::string secret = "a-secret-of-the-tests";
  const auto file = line_.write("token", secret + "\n");
  EXPECT_THAT(start({"--listen", "0.0.0.0:0", "--token-file", file.string()}).wait().errors, HasSubstr("chmod 600"));
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  line_.environment["REELFARM_TOKEN_FILE"] = file.string();
  Running coordinator = start({"--listen", "0.0.0.0:0"});
  ASSERT_TRUE(eventually([&] { return page().port != 0; })) << coordinator.errors();
  EXPECT_EQ(test::post(page(), "/api/session", R"({"token":"wrong"})", {"Content-Type: application/json"}).status, 401);
  EXPECT_EQ(test::post(page(), "/api/session", R"({"token":")" + secret + R"("})", {"Content-Type: text/plain"}).status,
            415);
  const auto entered =
      test::post(page(), "/api/session", R"({"token":")" + secret + R"("})", {"Content-Type: application/json"});
  EXPECT_EQ(entered.status, 200);
  EXPECT_THAT(entered.headers.at("set-cookie"),
              testing::AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict"), testing::Not(HasSubstr(secret))));
  const std::string cookie = entered.headers.at("set-cookie");
  const auto session = test::ask(page(), "/api/session", {"Cookie: " + cookie.substr(0, cookie.find(';'))});
  EXPECT_EQ(nlohmann::json::parse(session.body).at("allowed"), true);
  coordinator.signal(SIGTERM);
  const test::Ended ended = coordinator.wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.errors, testing::Not(HasSubstr(secret)));
}

}  // namespace
}  // namespace reelfarm
