// The agent as a service: drains, ends when idle, waits for a queue or a folder that is away.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>

#include "agent_fixture.hpp"
#include "queue/detail/redis_connection.hpp"
#include "worker/agent/dead_sockets.hpp"

namespace reelfarm::worker {
namespace {

TEST_F(AgentTest, ADrainReleasesTheRunningWindowUnharmedAndEndsWithZero) {
  const std::string job = start_and_reach("slow");
  drain();
  EXPECT_EQ(join(), 0);
  const TaskRecord record = window(job);
  EXPECT_EQ(record.state, TaskState::ready);
  EXPECT_EQ(record.preemptions, 1);
  EXPECT_EQ(record.crashes, 0);
  EXPECT_TRUE(store_->list_groups().empty());
}

TEST_F(AgentTest, AWindowOfAGroupThatItsOperatorKillsIsNoCrash) {
  const std::string job = start_and_reach("deaf");
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
  const std::string job = start_and_reach("dies-when-told");
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

TEST_F(AgentTest, OutsideItsHoursAGroupGivesBackWhatItHoldsAndWaitsForThemToBegin) {
  // Of one minute: it is over a minute later, and begins at the same time of the next day.
  const std::time_t now = std::chrono::system_clock::to_time_t(wall_clock_.load());
  std::tm local{};
  ::localtime_r(&now, &local);
  char span[32];
  const int begin = 60 * local.tm_hour + local.tm_min;
  const int end = (begin + 1) % 1440;
  std::snprintf(span, sizeof span, "%02d:%02d-%02d:%02d", begin / 60, begin % 60, end / 60, end % 60);
  hours_.emplace(span);
  const std::string job = start_and_reach("slow");
  wall_clock_ = wall_clock_.load() + std::chrono::minutes(1);
  ASSERT_TRUE(becomes(job, 0, TaskState::ready));
  const TaskRecord record = window(job);
  EXPECT_EQ(record.preemptions, 1);
  EXPECT_EQ(record.crashes, 0);
  ASSERT_TRUE(eventually([&] {
    const auto groups = store_->list_groups();
    return groups.size() == 1 && groups[0].state == GroupState::draining &&
           groups[0].note == std::string("outside its hours, ") + span;
  }));
  store_->cancel(job);
  const std::string next = add_job("render");
  wall_clock_ = wall_clock_.load() - std::chrono::minutes(1);
  EXPECT_TRUE(becomes(next, 0, TaskState::done)) << "its hours have begun again";
  EXPECT_TRUE(eventually([&] { return store_->list_groups().at(0).note.empty(); }));
}

TEST_F(AgentTest, ACancelledJobStopsWithinASecond) {
  const std::string job = start_and_reach("slow");
  store_->cancel(job);
  EXPECT_TRUE(eventually([&] { return store_->leases().empty(); }, seconds(5)));
  EXPECT_EQ(window(job).state, TaskState::cancelled);
  // The group is free for the next job.
  const std::string next = add_job("render");
  EXPECT_TRUE(becomes(next, 0, TaskState::done));
}

TEST_F(AgentTest, OthersThatLookWhetherItListensCostItNothing) {
  start_agent();
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
  ASSERT_TRUE(heartbeats_pass(3));
  // One each fifth of a second; a loop that never waits makes thousands.
  EXPECT_LT(claims() - before, 100);
  const std::string job = add_job("render");
  EXPECT_TRUE(becomes(job, 0, TaskState::done));
}

TEST_F(AgentTest, WithoutItsDataFolderAGroupWaitsAndSaysWhy) {
  std::filesystem::remove(DataFolder(root_ / "data").marker());
  const std::string job = add_job("render");
  start_agent();
  const auto note = [&] { return group().note; };
  ASSERT_TRUE(eventually([&] { return note().find("not mounted") != std::string::npos; })) << note();
  EXPECT_EQ(window(job).state, TaskState::ready);
  EXPECT_EQ(window(job).attempt, 0);
  mount_data();
  EXPECT_TRUE(becomes(job, 0, TaskState::done));
  EXPECT_TRUE(eventually([&] { return note().empty(); })) << note();
}

TEST_F(AgentTest, AQueueThatTakesNoWritesIsWaitedForLikeOneThatIsAway) {
  const std::string job = start_and_reach("slow");
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
  const std::string job = start_and_reach("slow");
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
