#include "worker/agent/agent.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "queue/data_folder.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/job_store.hpp"
#include "queue/keys.hpp"
#include "queue/private_redis.hpp"
#include "worker/agent/dead_sockets.hpp"

namespace reelfarm::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace queue;

/// An agent with scripted ranks under a real mpirun and a real Redis. What a task's prompt says is what its ranks do.
class AgentTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("rf-agent-" + std::to_string(::getpid()));
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ / "data");
    PrivateRedisOptions redis;
    redis.directory = root_ / "redis";
    redis_.emplace(redis);
    store_.emplace(store_options());
    mount_data();
  }

  /// Marks the data folder as this farm's, as its coordinator does.
  void mount_data() { std::ofstream(DataFolder(root_ / "data").marker()) << store_->adopt_farm_id() << '\n'; }

  void TearDown() override {
    if (agent_.joinable()) {
      drain();
      join();
    }
    store_.reset();
    redis_.reset();
    std::filesystem::remove_all(root_);
  }

  StoreOptions store_options() const {
    StoreOptions options;
    options.url = redis_->url();
    options.lease = milliseconds(3000);
    options.retry.backoff_base = milliseconds(20);
    options.retry.backoff_cap = milliseconds(50);
    options.retry.input_settle = milliseconds(0);
    return options;
  }

  void start_agent(const std::string& bundle = "some-bundle") {
    AgentOptions options;
    options.store = store_options();
    options.data = root_ / "data";
    options.host = "testhost";
    options.launch.launcher = {"mpirun", "--oversubscribe", "--bind-to", "none"};
    if (::geteuid() == 0) options.launch.launcher.emplace_back("--allow-run-as-root");
    options.launch.program = std::filesystem::path(REELFARM_BIN_DIR) / "scripted-ranks";
    options.launch.arguments = {"--data", options.data.string(), "--bundle", bundle};
    options.deadlines.first = seconds(20);
    options.deadlines.floor = milliseconds(700);
    options.deadlines.margin = 3;
    options.restart_pause = milliseconds(10);
    options.heartbeat = milliseconds(300);
    options.idle_exit = idle_exit_;
    agent_ = std::thread([this, options] { exit_code_ = Agent(options).run(drain_); });
  }

  void drain() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(drain_, &one, sizeof one);
  }

  int join() {
    agent_.join();
    return exit_code_;
  }

  /// A job of `windows` windows in a chain, accepted.
  std::string add_job(const std::string& prompt, int windows = 1) {
    JobSpec spec;
    spec.prompt = prompt;
    spec.seed = 1;
    spec.overlap_frames = 1;
    const std::string job = store_->submit(spec).job;
    Plan plan;
    plan.spec = spec;
    for (int window = 0; window < windows; ++window) {
      TaskSpec task;
      task.id = task_id(job, TaskKind::window, window);
      task.job = job;
      task.window = window;
      task.bundle_hash = "scripted-hash";
      task.artifact_key = task.id;
      task.render.prompt = prompt;
      task.render.width = 32;
      task.render.height = 32;
      task.render.steps = 4;
      task.span.num_latents = 5;
      task.span.overlap_latents = window == 0 ? 0 : 1;
      task.span.num_frames = 17;
      task.span.keep_frames = 17;
      if (window > 0) task.depends = {{task_id(job, TaskKind::window, window - 1), DependencyOn::tail}};
      plan.tasks.push_back(task);
    }
    TaskSpec stitch;
    stitch.kind = TaskKind::stitch;
    stitch.id = task_id(job, TaskKind::stitch);
    stitch.job = job;
    stitch.stitch.windows = windows;
    stitch.depends = {{task_id(job, TaskKind::window, 0), DependencyOn::done}};
    plan.tasks.push_back(stitch);
    EXPECT_TRUE(store_->accept(job, plan));
    return job;
  }

  TaskRecord window(const std::string& job, int index = 0) {
    return store_->get_task(task_id(job, TaskKind::window, index)).value();
  }

  testing::AssertionResult becomes(const std::string& job, int index, TaskState state) {
    if (eventually([&] { return window(job, index).state == state; })) return testing::AssertionSuccess();
    const TaskRecord record = window(job, index);
    return testing::AssertionFailure() << "window " << index << " is " << to_string(record.state) << ", attempt "
                                       << record.attempt << ", error: " << record.error;
  }

  static bool eventually(const std::function<bool()>& condition, milliseconds limit = seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }

  std::filesystem::path root_;
  milliseconds idle_exit_{0};
  std::optional<PrivateRedis> redis_;
  std::optional<JobStore> store_;
  int drain_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread agent_;
  std::atomic<int> exit_code_ = -1;
};

TEST_F(AgentTest, RendersAChainOfWindowsAndMakesTheStitchReady) {
  const std::string job = add_job("render", 3);
  start_agent();
  for (int index = 0; index < 3; ++index) {
    ASSERT_TRUE(becomes(job, index, TaskState::done));
    EXPECT_EQ(window(job, index).attempt, 1);
    EXPECT_EQ(window(job, index).artifact.frames, 17);
    EXPECT_TRUE(window(job, index).tail_published);
  }
  EXPECT_EQ(store_->get_task(task_id(job, TaskKind::stitch))->state, TaskState::ready);
  EXPECT_EQ(store_->get_job(job)->fingerprint, "scripted");
  const auto groups = store_->list_groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].host, "testhost");
  EXPECT_EQ(groups[0].device, "cpu");
}

TEST_F(AgentTest, ACrashedRankIsRestartedAndTheWindowRenderedAgain) {
  const std::string job = add_job("crash");
  start_agent();
  ASSERT_TRUE(becomes(job, 0, TaskState::done));
  EXPECT_EQ(window(job).attempt, 2);
  EXPECT_EQ(window(job).failures, 0);
}

TEST_F(AgentTest, AHungRankIsKilledAtItsDeadlineAndTheWindowRenderedAgain) {
  // A first job teaches the agent how long a step takes.
  ASSERT_TRUE((add_job("render"), true));
  const std::string job = add_job("hang");
  start_agent();
  ASSERT_TRUE(becomes(job, 0, TaskState::done));
  EXPECT_EQ(window(job).attempt, 2);
}

TEST_F(AgentTest, ATaskThatCrashesAtOneStepFiveTimesIsPoison) {
  const std::string job = add_job("always-crash");
  start_agent();
  ASSERT_TRUE(becomes(job, 0, TaskState::poison));
  EXPECT_EQ(window(job).attempt, 5);
  EXPECT_NE(window(job).error.find("code 7"), std::string::npos) << window(job).error;
  ASSERT_TRUE(eventually([&] { return store_->get_job(job)->state == JobState::failed; }));
}

TEST_F(AgentTest, AFailureOfTheInputFailsTheJobAndTheGroupGoesOn) {
  const std::string bad = add_job("fail-data");
  const std::string good = add_job("render");
  start_agent();
  ASSERT_TRUE(becomes(bad, 0, TaskState::failed));
  EXPECT_EQ(window(bad).error, "the image has no pixels");
  ASSERT_TRUE(becomes(good, 0, TaskState::done));
}

TEST_F(AgentTest, AWindowWhoseTailIsLostHasItRenderedAgain) {
  const std::string job = add_job("lost-tail", 3);
  start_agent();
  for (int index = 0; index < 3; ++index) ASSERT_TRUE(becomes(job, index, TaskState::done));
  EXPECT_EQ(window(job, 0).attempt, 2);
  EXPECT_EQ(window(job, 0).failures, 1);
  for (int index = 1; index < 3; ++index) EXPECT_EQ(window(job, index).failures, index == 1 ? 1 : 0) << index;
  EXPECT_EQ(window(job, 2).attempt, 2);
}

TEST_F(AgentTest, AUsersImageThatIsLostFailsTheJobAfterItsTries) {
  const std::string job = add_job("lost-image");
  start_agent();
  ASSERT_TRUE(becomes(job, 0, TaskState::failed));
  EXPECT_EQ(window(job).attempt, 3);
  EXPECT_EQ(store_->get_job(job)->error.error_class, "storage");
}

TEST_F(AgentTest, ADrainReleasesTheRunningWindowUnharmedAndEndsWithZero) {
  const std::string job = add_job("slow");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  drain();
  EXPECT_EQ(join(), 0);
  const TaskRecord record = window(job);
  EXPECT_EQ(record.state, TaskState::ready);
  EXPECT_EQ(record.preemptions, 1);
  EXPECT_EQ(record.crashes, 0);
  EXPECT_TRUE(store_->list_groups().empty());
}

TEST_F(AgentTest, AWindowOfAGroupThatItsOperatorKillsIsNoCrash) {
  const std::string job = add_job("deaf");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  drain();
  ASSERT_TRUE(eventually([&] {
    const auto groups = store_->list_groups();
    return groups.size() == 1 && groups[0].state == GroupState::draining;
  }));
  EXPECT_EQ(window(job).state, TaskState::leased);
  drain();
  EXPECT_EQ(join(), 0);
  const TaskRecord record = window(job);
  EXPECT_EQ(record.state, TaskState::ready);
  EXPECT_EQ(record.preemptions, 1);
  EXPECT_EQ(record.crashes, 0) << record.error;
  EXPECT_TRUE(store_->host_crashes(job).empty());
}

TEST_F(AgentTest, RanksThatAreEndedInTheMomentOfADrainAreNoCrash) {
  const std::string job = add_job("dies-when-told");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  drain();
  EXPECT_EQ(join(), 0);
  const TaskRecord record = window(job);
  EXPECT_EQ(record.state, TaskState::ready);
  EXPECT_EQ(record.preemptions, 1);
  EXPECT_EQ(record.crashes, 0) << record.error;
}

TEST_F(AgentTest, AGroupWithNothingToDoEndsWhenAskedTo) {
  idle_exit_ = milliseconds(300);
  const std::string job = add_job("render");
  start_agent();
  EXPECT_EQ(join(), 0);
  EXPECT_EQ(window(job).state, TaskState::done) << "it left before it had done what there was";
  EXPECT_TRUE(store_->list_groups().empty());
}

TEST_F(AgentTest, ACancelledJobStopsWithinASecond) {
  const std::string job = add_job("slow");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  store_->cancel(job);
  EXPECT_TRUE(eventually([&] { return store_->leases().empty(); }, seconds(5)));
  EXPECT_EQ(window(job).state, TaskState::cancelled);
  // The group is free for the next job.
  const std::string next = add_job("render");
  EXPECT_TRUE(becomes(next, 0, TaskState::done));
}

TEST_F(AgentTest, AWindowThatIsLostAndLeasedAgainIsNotTakenForTheOldOne) {
  const std::string job = add_job("slow");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  ASSERT_EQ(store_->leases().size(), 1u);
  ASSERT_EQ(store_->release(store_->leases()[0], "taken away"), ReplyCode::ok);
  ASSERT_TRUE(eventually([&] { return window(job).attempt == 2 && window(job).progress.step >= 3; }));
  EXPECT_EQ(window(job).preemptions, 1) << "what the ranks said of the first lease ended the second";
}

TEST_F(AgentTest, ATailThatRedisHasLostByTheEndOfItsWindowIsPublishedWithIt) {
  const std::string job = add_job("slow-write", 2);
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).tail_published; }));
  // As a replica that lacks the last moments has it.
  detail::ConnectionOptions options;
  options.url = RedisUrl::parse(redis_->url());
  detail::RedisConnection connection(options);
  connection.command({"HDEL", Keys("reelfarm").task(task_id(job, TaskKind::window)), "tail", "tail_sha256"});
  ASSERT_FALSE(window(job).tail_published);
  ASSERT_TRUE(becomes(job, 0, TaskState::done));
  EXPECT_TRUE(window(job).tail_published);
  EXPECT_EQ(window(job).attempt, 1);
  ASSERT_TRUE(becomes(job, 1, TaskState::done));
  EXPECT_EQ(window(job, 1).failures, 0);
}

TEST_F(AgentTest, AWindowThatIsDoneWithoutATailIsRenderedAgain) {
  const std::string job = add_job("render", 2);
  ClaimFilter filter;
  filter.owner = "another";
  filter.host = "another-host";
  filter.bundle_hash = "scripted-hash";
  filter.fingerprint = "scripted";
  const auto lease = store_->claim(filter);
  ASSERT_TRUE(lease);
  const FinishReport without_tail{"digest", {"scripted/x", "digest", 1, 17}, std::nullopt, ""};
  ASSERT_EQ(store_->finish(lease->token, without_tail), ReplyCode::ok);
  start_agent();
  ASSERT_TRUE(becomes(job, 1, TaskState::done));
  EXPECT_EQ(window(job).attempt, 2);
  EXPECT_EQ(window(job, 1).failures, 0);
}

TEST_F(AgentTest, OthersThatLookWhetherItListensCostItNothing) {
  start_agent();
  const auto group = [&] {
    const auto groups = store_->list_groups();
    return groups.empty() ? GroupRecord{} : groups[0];
  };
  ASSERT_TRUE(eventually([&] { return group().state == GroupState::idle; }));
  const std::string id = group().id;
  const auto folder = std::filesystem::temp_directory_path();
  const auto socket = folder / ("reelfarm-" + id.substr(id.size() - 8) + ".sock");
  for (int look = 0; look < 10; ++look) {  // more than may wait to be taken
    std::filesystem::last_write_time(socket, std::filesystem::file_time_type::clock::now() - std::chrono::minutes(2));
    remove_dead_sockets(folder);
    ASSERT_TRUE(std::filesystem::exists(socket));
  }
  detail::ConnectionOptions options;
  options.url = RedisUrl::parse(redis_->url());
  detail::RedisConnection connection(options);
  // Of what is asked here only a claim looks for tasks whose rest is over.
  const auto claims = [&] {
    const auto reply = connection.command({"INFO", "commandstats"});
    const std::string text = detail::Reply(reply.get()).text();
    const std::string name = "cmdstat_zrangebyscore:calls=";
    return std::stoll(text.substr(text.find(name) + name.size()));
  };
  const auto before = claims();
  for (int heartbeat = 0; heartbeat < 3; ++heartbeat) {
    const auto seen = group().last_seen;
    ASSERT_TRUE(eventually([&] { return group().last_seen > seen; }));
  }
  // One each fifth of a second; a loop that never waits makes thousands.
  EXPECT_LT(claims() - before, 100);
  const std::string job = add_job("render");
  EXPECT_TRUE(becomes(job, 0, TaskState::done));
}

TEST_F(AgentTest, WithoutItsDataFolderAGroupWaitsAndSaysWhy) {
  std::filesystem::remove(DataFolder(root_ / "data").marker());
  const std::string job = add_job("render");
  start_agent();
  const auto note = [&] {
    const auto groups = store_->list_groups();
    return groups.empty() ? std::string() : groups[0].note;
  };
  ASSERT_TRUE(eventually([&] { return note().find("not mounted") != std::string::npos; })) << note();
  EXPECT_EQ(window(job).state, TaskState::ready);
  EXPECT_EQ(window(job).attempt, 0);
  mount_data();
  EXPECT_TRUE(becomes(job, 0, TaskState::done));
  EXPECT_TRUE(eventually([&] { return note().empty(); })) << note();
}

TEST_F(AgentTest, RanksThatRefuseTheirBundleAreNotStartedAgain) {
  start_agent("refused");
  EXPECT_EQ(join(), 2);
  const auto groups = store_->list_groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].state, GroupState::failed);
}

TEST_F(AgentTest, AQueueThatTakesNoWritesIsWaitedForLikeOneThatIsAway) {
  const std::string job = add_job("slow");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  const int before = window(job).step_reached;
  queue::detail::RedisConnection redis({.url = RedisUrl::parse(redis_->url())});
  redis.command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  EXPECT_THROW(add_job("refused"), NotReadyError);
  std::this_thread::sleep_for(milliseconds(500));  // the shortage itself
  redis.command({"CONFIG", "SET", "min-replicas-to-write", "0"});
  EXPECT_TRUE(eventually([&] { return window(job).step_reached > before + 8; }));
  EXPECT_EQ(window(job).attempt, 1) << "the ranks went on rendering under the same lease";
}

TEST_F(AgentTest, AQueueThatIsAwayForAWhileLosesNothing) {
  const std::string job = add_job("slow");
  start_agent();
  ASSERT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
  const int before = window(job).step_reached;
  redis_->kill();
  std::this_thread::sleep_for(milliseconds(500));  // the outage itself
  redis_->start();
  store_.emplace(store_options());
  EXPECT_TRUE(eventually([&] { return window(job).step_reached > before + 8; }));
  EXPECT_EQ(window(job).attempt, 1) << "the ranks went on rendering under the same lease";
}

}  // namespace
}  // namespace reelfarm::worker
