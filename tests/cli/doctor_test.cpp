#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/doctor/checks.hpp"
#include "queue/private_redis.hpp"
#include "tests/cli/job_farm.hpp"

namespace reelfarm::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Ended;
using testing::HasSubstr;

/// What a healthy farm says of itself.
FarmRecords healthy() {
  FarmRecords records;
  records.server_now = queue::ServerTime(1000s);
  records.local_now = records.server_now + 20ms;
  records.disk = queue::DiskState{false, 10 << 20, 100 << 20, 95, records.server_now - 1s};
  queue::GroupRecord group;
  group.id = "g1";
  group.host = "h1";
  group.state = queue::GroupState::busy;
  records.groups = {group};
  records.stitchers = {{.id = "s1", .host = "h1"}};
  return records;
}

std::vector<std::string> problems(const FarmRecords& records) {
  std::vector<std::string> texts;
  for (const Finding& finding : check_farm(records)) {
    if (finding.health != Health::ok) texts.push_back(finding.what + ": " + finding.text);
    EXPECT_EQ(finding.health == Health::ok, finding.hint.empty()) << finding.what;
  }
  return texts;
}

TEST(JudgeDriver, NamesItsVersion) {
  EXPECT_EQ(
      judge_driver("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (a@b)  ").text,
      "NVIDIA 580.159.04");
  EXPECT_EQ(
      judge_driver("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024").text,
      "NVIDIA 550.54.15");
  EXPECT_EQ(judge_driver("NVRM version: of a kind to come").text, "NVRM version: of a kind to come");
  EXPECT_EQ(judge_driver("").health, Health::note);
}

TEST(CheckFarm, FindsNothingWrongWithAHealthyOne) {
  EXPECT_THAT(problems(healthy()), testing::IsEmpty());
}

TEST(CheckFarm, ASilentCoordinatorIsAProblem) {
  FarmRecords records = healthy();
  records.disk->measured = records.server_now - 90s;
  EXPECT_THAT(problems(records), testing::ElementsAre("coordinator: last sign of life 1 min 30 s ago"));
  records.disk.reset();
  EXPECT_THAT(problems(records), testing::ElementsAre(HasSubstr("none has worked on this farm yet")));
}

TEST(CheckFarm, ClocksThatDifferAreNoted) {
  FarmRecords records = healthy();
  records.local_now = records.server_now - 60s;
  EXPECT_THAT(problems(records), testing::ElementsAre(HasSubstr("1 min 00 s behind the Redis server")));
}

TEST(CheckFarm, AGroupOutsideItsHoursIsNoProblem) {
  FarmRecords records = healthy();
  records.groups.push_back(records.groups[0]);
  records.groups[1].state = queue::GroupState::draining;
  records.groups[1].note = "outside its hours, 20:00-07:00";
  EXPECT_THAT(problems(records), testing::ElementsAre("group: g1 (host h1) rests: outside its hours, 20:00-07:00"));
  EXPECT_EQ(check_farm(records)[3].health, Health::note);
}

TEST(CheckFarm, AFullDiskIsAProblem) {
  FarmRecords records = healthy();
  records.disk->full = true;
  EXPECT_THAT(problems(records), testing::ElementsAre(HasSubstr("above the high-water mark")));
}

TEST(CheckFarm, GroupsThatDoNotServeAreNamed) {
  FarmRecords records = healthy();
  records.groups[0].state = queue::GroupState::failed;
  records.groups[0].note = "the bundle is broken";
  EXPECT_THAT(problems(records), testing::ElementsAre("group: g1 (host h1) has failed: the bundle is broken",
                                                      "groups: no worker group serves this farm"));
  records.groups.push_back(healthy().groups[0]);
  records.groups[1].note = "DATA /x has no marker";
  EXPECT_THAT(problems(records)[1], HasSubstr("takes nothing: DATA /x has no marker"));
}

TEST(CheckFarm, AFarmWithoutAStitcherIsAProblem) {
  FarmRecords records = healthy();
  records.stitches_ready = 2;
  EXPECT_THAT(problems(records), testing::IsEmpty());
  records.stitchers[0].gone = true;
  EXPECT_THAT(problems(records), testing::ElementsAre("stitcher: s1 (host h1) is gone without a word",
                                                      "stitchers: no stitcher is running, and 2 videos wait for one"));
  records.stitchers.clear();
  records.stitches_ready = 0;
  EXPECT_THAT(problems(records), testing::ElementsAre("stitchers: no stitcher is running"));
  records.stitchers = {{.id = "s2", .host = "h2", .note = "DATA /x has no marker"}};
  EXPECT_THAT(problems(records)[0], HasSubstr("s2 (host h2) takes nothing: DATA /x has no marker"));
}

TEST(JudgeStorage, SlowStorageIsNotedWithItsFigure) {
  EXPECT_EQ(judge_storage(4.2).health, Health::ok);
  EXPECT_THAT(judge_storage(4.2).text, HasSubstr("4.2 ms"));
  EXPECT_EQ(judge_storage(250).health, Health::note);
  EXPECT_THAT(judge_storage(250).hint, HasSubstr("faster disk"));
}

TEST(JudgeLatency, ASlowServerIsNotedWithItsFigure) {
  EXPECT_EQ(judge_latency(0.3).health, Health::ok);
  EXPECT_EQ(judge_latency(80).health, Health::note);
  EXPECT_THAT(judge_latency(80).text, HasSubstr("80.0 ms"));
}

TEST(JudgeServer, SaysHowSafeWhatRedisTakesIs) {
  queue::ServerFacts facts{
      .version = "7.0.15", .eviction = "noeviction", .append_only = true, .fsync = "always", .slowest_write_ms = 3.25};
  const auto worst = [&] {
    Finding found;
    for (const Finding& finding : judge_server(facts)) {
      EXPECT_EQ(finding.health == Health::ok, finding.hint.empty()) << finding.what;
      if (finding.health > found.health) found = finding;
    }
    return found;
  };
  EXPECT_EQ(worst().health, Health::ok);
  EXPECT_THAT(judge_server(facts).back().text, HasSubstr("within 3.2 ms"));
  facts.fsync = "everysec";
  EXPECT_EQ(worst().health, Health::ok);
  facts.slowest_write_ms = 300;
  EXPECT_EQ(worst().what, "redis disk");
  facts.slowest_write_ms.reset();
  EXPECT_EQ(worst().health, Health::ok) << "a role that only looks measures no write";
  facts.fsync = "no";
  EXPECT_EQ(worst().health, Health::problem);
  facts.append_only = false;
  EXPECT_THAT(worst().text, HasSubstr("no append-only file"));
  facts.writes_fail = true;
  EXPECT_THAT(worst().text, HasSubstr("its last write there failed"));
}

TEST(JudgeServer, AnOldServerIsAProblem) {
  queue::ServerFacts facts{.version = "5.0.3", .supported = false, .eviction = "noeviction"};
  const Finding finding = judge_server(facts)[0];
  EXPECT_EQ(finding.health, Health::problem);
  EXPECT_EQ(finding.text, "version 5.0.3; 6.2 or newer is needed");
}

TEST(JudgeServer, SaysWhatMemoryItUsesAndThrowsAway) {
  queue::ServerFacts facts{.version = "7.0.15", .eviction = "noeviction", .memory = 3 << 20};
  const auto memory = [&] { return judge_server(facts)[1]; };
  EXPECT_EQ(memory().health, Health::ok);
  EXPECT_EQ(memory().text, "3.0 MiB used, no limit, evicts nothing");
  facts.memory_max = 100 << 20;
  EXPECT_EQ(memory().text, "3.0 MiB used of 100.0 MiB, evicts nothing");
  facts.memory = 95 << 20;
  EXPECT_EQ(memory().health, Health::note);
  facts.eviction = "allkeys-lru";
  EXPECT_EQ(memory().health, Health::problem);
  EXPECT_THAT(memory().text, HasSubstr("maxmemory-policy allkeys-lru"));
  EXPECT_THAT(memory().hint, HasSubstr("noeviction"));
}

TEST(CheckFarm, HostsWhoseClockIsWrongAreNamed) {
  FarmRecords records = healthy();
  records.groups[0].clock_ahead = -90s;
  EXPECT_THAT(problems(records), testing::ElementsAre("clock of h1: 1 min 30 s behind the Redis server"));
  records.groups[0].state = queue::GroupState::gone;
  EXPECT_THAT(problems(records), testing::Not(testing::Contains(HasSubstr("clock of"))));
}

TEST(CheckFarm, APauseAndBundlesThatNoGroupHasAreNoted) {
  FarmRecords records = healthy();
  queue::BundleLimits demo;
  demo.name = "demo";
  demo.hash = "0123456789abcdef";
  records.bundles.push_back(demo);
  records.groups[0].bundle_hash = "0123456789abcdef";
  EXPECT_THAT(problems(records), testing::IsEmpty());
  records.groups[0].bundle_hash = "another";
  records.pause = queue::FarmPause{"ann@h", {}};
  EXPECT_THAT(problems(records), testing::ElementsAre("pause: the farm is paused by ann@h: nothing is rendered",
                                                      "bundle: demo (0123456789ab): no group has it now"));
}

class Doctor : public test::JobFarm {};

TEST_F(Doctor, AFarmThatWorksHasNoProblem) {
  ASSERT_TRUE(test::eventually([&] { return run({"doctor"}).code == 0; })) << run({"doctor"}).output;
  const Ended ended = run({"doctor", "--json"});
  std::set<std::string> seen;
  for (const json& finding : test::json_lines(ended.output)) {
    EXPECT_NE(finding.at("health"), "error") << finding;
    seen.insert(finding.at("what"));
  }
  for (const char* what : {"redis", "redis memory", "redis latency", "redis keeps", "redis disk", "data", "storage",
                           "driver", "clock", "coordinator", "disk", "groups", "stitchers", "reelfarm-image"}) {
    EXPECT_TRUE(seen.contains(what)) << what;
  }
}

TEST_F(Doctor, AFolderThatIsNotTheFarmsIsAProblem) {
  const std::string url = json::parse(std::ifstream(data() / "farm.json")).at("redis");
  const Ended ended = run({"doctor", "--redis", url, "--data", line_->path("nowhere").string()});
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(ended.output, testing::ContainsRegex("error +data"));
  EXPECT_THAT(ended.output, HasSubstr("-> name the farm's folder with --data"));
}

TEST(DoctorOfAnotherServer, SaysWhatAnEvictingOneIsRefusedFor) {
  test::CommandLine line;
  queue::PrivateRedis redis({.directory = line.path("redis"), .maxmemory_policy = "allkeys-lru"});
  const Ended ended = line.run({"doctor", "--redis", redis.url()});
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(ended.output,
              testing::ContainsRegex("error +redis memory +maxmemory-policy allkeys-lru.* used without a limit yet"));
  EXPECT_THAT(ended.output, HasSubstr("-> set maxmemory-policy noeviction"));
  EXPECT_THAT(ended.output, testing::ContainsRegex("ok +redis +version "));
}

TEST(DoctorWithoutAFarm, SaysWhatCanBeSaid) {
  test::CommandLine line;
  const Ended ended = line.run({"doctor", "--redis", "unix:///nowhere/redis.sock"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.output, testing::ContainsRegex("error +redis"));
  EXPECT_THAT(ended.output, testing::ContainsRegex("ok +reelfarm-image"));
  EXPECT_EQ(line.run({"doctor"}).code, 3);
}

}  // namespace
}  // namespace reelfarm::cli
