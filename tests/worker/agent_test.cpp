#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "agent_fixture.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/keys.hpp"

namespace reelfarm::worker {
namespace {

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
  deadline_floor_ = milliseconds(1500);
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
  const std::string job = add_job("lost-tail", 2);
  // Done before anybody may look for its tail: who misses the tail of a window still at work only looks again later.
  finish_elsewhere(Artifact{"scripted/tail", "tail-digest", 1, 1});
  start_agent();
  for (int index = 0; index < 2; ++index) ASSERT_TRUE(becomes(job, index, TaskState::done));
  EXPECT_EQ(window(job, 0).attempt, 2);
  EXPECT_EQ(window(job, 0).failures, 1);
  EXPECT_EQ(window(job, 1).attempt, 2);
  EXPECT_EQ(window(job, 1).failures, 0);
}

TEST_F(AgentTest, AUsersImageThatIsLostFailsTheJobAfterItsTries) {
  const std::string job = add_job("lost-image");
  start_agent();
  ASSERT_TRUE(becomes(job, 0, TaskState::failed));
  EXPECT_EQ(window(job).attempt, 3);
  EXPECT_EQ(store_->get_job(job)->error.error_class, "storage");
}

TEST_F(AgentTest, AWindowThatIsLostAndLeasedAgainIsNotTakenForTheOldOne) {
  const std::string job = start_and_reach("slow");
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
  finish_elsewhere(std::nullopt);
  start_agent();
  ASSERT_TRUE(becomes(job, 1, TaskState::done));
  EXPECT_EQ(window(job).attempt, 2);
  EXPECT_EQ(window(job, 1).failures, 0);
}

TEST_F(AgentTest, AGroupHoldsTwoWindowsHoweverLongTheirDecodesTake) {
  for (int job = 0; job < 4; ++job) add_job("held-decode");
  start_agent();
  const auto stays_at = [&](std::size_t tasks) {
    return eventually([&] { return group().tasks.size() == tasks; }) && heartbeats_pass(2) &&
           group().tasks.size() == tasks;
  };
  const auto let_end = [&](int windows) {
    std::ofstream(root_ / "may-end.new") << windows;
    std::filesystem::rename(root_ / "may-end.new", root_ / "data" / "may-end");
  };
  EXPECT_TRUE(stays_at(2)) << group().tasks.size();
  let_end(1);
  EXPECT_TRUE(stays_at(2)) << group().tasks.size();
  let_end(4);
  EXPECT_TRUE(eventually([&] { return group().tasks.empty(); }));
}

TEST_F(AgentTest, RanksThatRefuseTheirBundleAreNotStartedAgain) {
  start_agent("refused");
  EXPECT_EQ(join(), 2);
  const auto groups = store_->list_groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].state, GroupState::failed);
}

}  // namespace
}  // namespace reelfarm::worker
