#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"
#include "worker/agent/agent.hpp"

namespace reelfarm::worker {

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
    options.deadlines.floor = deadline_floor_;
    options.deadlines.margin = 3;
    options.restart_pause = milliseconds(10);
    options.heartbeat = milliseconds(300);
    options.idle_exit = idle_exit_;
    options.hours = hours_;
    options.wall_clock = [this] { return wall_clock_.load(); };
    agent_ = std::thread([this, options] { exit_code_ = Agent(options).run(drain_); });
  }

  /// A job of one window, and an agent whose ranks have done the first step of it.
  std::string start_and_reach(const std::string& prompt) {
    const std::string job = add_job(prompt);
    start_agent();
    EXPECT_TRUE(eventually([&] { return window(job).step_reached >= 1; }));
    return job;
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

  /// As it has registered itself.
  GroupRecord group() {
    const auto groups = store_->list_groups();
    return groups.empty() ? GroupRecord{} : groups[0];
  }

  /// What the group could do at once it has done when this returns true: it was heard of so many times.
  bool heartbeats_pass(int count) {
    for (; count > 0; --count) {
      const auto seen = group().last_seen;
      if (!eventually([&] { return group().last_seen > seen; })) return false;
    }
    return true;
  }

  /// Another group claims the next window and finishes it, with or without a tail.
  void finish_elsewhere(const std::optional<Artifact>& tail) {
    ClaimFilter filter;
    filter.owner = "another";
    filter.host = "another-host";
    filter.bundle_hash = "scripted-hash";
    filter.fingerprint = "scripted";
    const auto lease = store_->claim(filter);
    ASSERT_TRUE(lease);
    const FinishReport report{"digest", {"scripted/x", "digest", 1, 17}, tail, ""};
    ASSERT_EQ(store_->finish(lease->token, report), ReplyCode::ok);
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
  std::optional<queue::WorkingHours> hours_;
  std::atomic<std::chrono::system_clock::time_point> wall_clock_{std::chrono::system_clock::now()};
  milliseconds deadline_floor_ = seconds(20);  ///< no pause of a busy machine is taken for a hung rank
  std::optional<PrivateRedis> redis_;
  std::optional<JobStore> store_;
  int drain_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread agent_;
  std::atomic<int> exit_code_ = -1;
};

}  // namespace reelfarm::worker
