// Groups, bundles and the event stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

GroupRecord make_group(const std::string& id) {
  GroupRecord group;
  group.id = id;
  group.host = "node-7";
  group.pid = 4711;
  group.bundle = "tiny";
  group.bundle_hash = kBundle;
  group.fingerprint = kFingerprint;
  group.ranks = 2;
  group.device = "cpu";
  group.dtype = "fp32";
  group.mesh = "2x1";
  return group;
}

TEST(Groups, AreListedWithWhatTheyHoldAndWhenTheyWereSeen) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  store.register_group(make_group("g1"));
  EXPECT_FALSE(store.heartbeat_group("g1", GroupState::idle));
  must_claim(store, render_filter("g1"));
  EXPECT_EQ(store.list_groups().at(0).state, GroupState::busy) << "it has not told yet what it holds";
  store.register_group(make_group("g2"));
  EXPECT_FALSE(store.heartbeat_group("g1", GroupState::busy));
  farm.advance(seconds(16));
  EXPECT_FALSE(store.heartbeat_group("g1", GroupState::busy));
  const std::vector<GroupRecord> groups = store.list_groups();
  ASSERT_EQ(groups.size(), 2u);
  const GroupRecord& silent = groups[0].id == "g2" ? groups[0] : groups[1];
  const GroupRecord& lively = groups[0].id == "g1" ? groups[0] : groups[1];
  EXPECT_EQ(lively.state, GroupState::busy);
  EXPECT_EQ(lively.host, "node-7");
  EXPECT_EQ(lively.ranks, 2);
  EXPECT_THAT(lively.tasks, testing::ElementsAre(task_id(job, TaskKind::window, 0)));
  EXPECT_EQ(silent.state, GroupState::gone);
  store.remove_group("g2");
  EXPECT_EQ(store.list_groups().size(), 1u);
}

TEST(Groups, OnesThatAreSilentForAWeekAreForgotten) {
  TestFarm farm;
  JobStore store = farm.make_store();
  store.register_group(make_group("killed"));
  store.heartbeat_stitcher({.id = "killed-too", .host = "h"});
  farm.advance(std::chrono::hours(6 * 24));
  store.register_group(make_group("g1"));
  store.heartbeat_stitcher({.id = "s1", .host = "h"});
  EXPECT_EQ(store.list_groups().size(), 2u);
  EXPECT_EQ(store.list_stitchers().size(), 2u);
  farm.advance(std::chrono::hours(25));
  store.register_group(make_group("g2"));
  store.heartbeat_stitcher({.id = "s2", .host = "h"});
  EXPECT_EQ(store.list_groups().size(), 2u);
  EXPECT_EQ(store.list_stitchers().size(), 2u);
  EXPECT_EQ(farm.raw({"EXISTS", farm.keys().group("killed"), farm.keys().stitcher("killed-too")})[0], "0");
}

TEST(Stitchers, AreListedWithWhatTheyHoldAndWhenTheyWereSeen) {
  TestFarm farm;
  JobStore store = farm.make_store();
  EXPECT_TRUE(store.list_stitchers().empty());
  EXPECT_THROW(store.heartbeat_stitcher({.id = "two words"}), std::invalid_argument);
  const std::string job = add_job(store, 1);
  ASSERT_EQ(store.finish(must_claim(store, render_filter("g1")).token, make_report("w")), ReplyCode::ok);
  store.heartbeat_stitcher({.id = "s1", .host = "h", .pid = 7, .follow = 4, .note = "no marker"});
  must_claim(store, stitch_filter("s1"));
  const StitcherRecord there = store.list_stitchers().at(0);
  EXPECT_EQ(there.host, "h");
  EXPECT_EQ(there.pid, 7);
  EXPECT_EQ(there.follow, 4);
  EXPECT_EQ(there.note, "no marker");
  EXPECT_THAT(there.tasks, testing::ElementsAre(task_id(job, TaskKind::stitch)));
  EXPECT_FALSE(there.gone);
  farm.advance(seconds(16));
  EXPECT_TRUE(store.list_stitchers().at(0).gone);
  farm.raw({"FLUSHALL"});
  store.heartbeat_stitcher({.id = "s1", .host = "h"});
  EXPECT_FALSE(store.list_stitchers().at(0).gone);
  store.remove_stitcher("s1");
  EXPECT_TRUE(store.list_stitchers().empty());
}

TEST(Groups, ADrainingOneHearsItAndIsGrantedNothing) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  store.register_group(make_group("g1"));
  EXPECT_TRUE(store.request_drain("g1"));
  EXPECT_FALSE(store.request_drain("unknown"));
  EXPECT_TRUE(store.heartbeat_group("g1", GroupState::idle));
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_TRUE(store.list_groups()[0].drain_requested);
  store.request_drain("g1", false);
  EXPECT_FALSE(store.heartbeat_group("g1", GroupState::idle));
  EXPECT_TRUE(store.claim(render_filter("g1")).has_value());
}

TEST(Groups, OneThatRedisLostIsRegisteredAgainWithItsBundlesByItsHeartbeat) {
  TestFarm farm;
  JobStore store = farm.make_store();
  BundleLimits limits;
  limits.name = "tiny";
  limits.hash = "h";
  store.register_bundle(limits);
  store.register_group(make_group("g1"));
  farm.raw({"FLUSHALL"});
  EXPECT_FALSE(store.heartbeat_group("g1", GroupState::busy, "back"));
  ASSERT_EQ(store.list_groups().size(), 1u);
  EXPECT_EQ(store.list_groups()[0].state, GroupState::busy);
  ASSERT_EQ(store.list_bundles().size(), 1u);
  EXPECT_EQ(store.list_bundles()[0].name, "tiny");
  EXPECT_THROW(store.heartbeat_group("stranger", GroupState::idle), TransitionError);
}

TEST(Bundles, AreFoundByNameTheNewestFirst) {
  TestFarm farm;
  JobStore store = farm.make_store();
  BundleLimits limits;
  limits.name = "tiny";
  limits.hash = "old";
  store.register_bundle(limits);
  farm.advance(seconds(1));
  limits.hash = "new";
  limits.has_t2i = true;
  store.register_bundle(limits);
  farm.advance(seconds(1));
  limits.name = "other";
  limits.hash = "x";
  store.register_bundle(limits);
  EXPECT_EQ(store.list_bundles().size(), 3u);
  const std::vector<BundleLimits> found = store.find_bundles("tiny");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].hash, "new");
  EXPECT_TRUE(found[0].has_t2i);
  EXPECT_TRUE(store.find_bundles("none").empty());
  limits.hash = "a:b";
  EXPECT_THROW(store.register_bundle(limits), std::invalid_argument);
}

std::vector<std::string> types_of(const std::vector<Event>& events) {
  std::vector<std::string> types;
  for (const Event& event : events) types.push_back(event.type);
  return types;
}

TEST(Events, TellTheStoryOfAJob) {
  TestFarm farm;
  JobStore store = farm.make_store();
  EventReader events(farm.options);
  const std::string job = add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  store.tick(lease.token, {"step", 1, 4, 0});
  store.tick(lease.token, {"step", 1, 4, 0.5});  // the same step: no event
  store.finish(lease.token, make_report("w0"));
  store.finish(must_claim(store, stitch_filter()).token, make_report("video"));
  const std::vector<Event> read = events.read(milliseconds(100));
  EXPECT_THAT(types_of(read), testing::ElementsAre("submitted", "accepted", "ready", "claimed", "step", "done", "ready",
                                                   "claimed", "done", "done", "closed"));
  EXPECT_EQ(read[4].task, lease.token.task);
  EXPECT_EQ(read[4].step, 1);
  EXPECT_EQ(read[4].steps, 4);
  EXPECT_EQ(read[4].owner, "g1");
  EXPECT_EQ(read[9].task, "");
  EXPECT_EQ(read[9].state, "done");
  for (const Event& event : read) EXPECT_EQ(event.job, job);
  EXPECT_TRUE(events.read(milliseconds(1)).empty());
  EXPECT_TRUE(events.read(milliseconds(0)).empty());
}

TEST(Events, AWaitingReaderWakesUp) {
  TestFarm farm;
  JobStore store = farm.make_store();
  EventReader events(farm.options);
  std::thread submitter([&] { store.submit(make_spec()); });
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Event> read = events.read(seconds(20));
  submitter.join();
  ASSERT_EQ(read.size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

TEST(Events, AreBounded) {
  TestFarm farm;
  farm.options.max_events = 100;
  JobStore store = farm.make_store();
  for (int i = 0; i < 500; ++i) store.submit(make_spec());
  EXPECT_LT(std::stoi(farm.raw({"XLEN", farm.keys().events()})[0]), 300);
}

}  // namespace
}  // namespace reelfarm::queue::test
