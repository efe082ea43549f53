#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "coordinator/why/words.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::why {
namespace {

using namespace std::chrono_literals;
using queue::test::add_job;
using queue::test::kBundle;
using queue::test::must_claim;
using queue::test::render_filter;
using queue::test::stitch_filter;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Why : public testing::Test {
 protected:
  std::vector<std::string> lines(const std::string& job) {
    const Facts facts = gather_facts(store_, *store_.get_job(job));
    std::vector<std::string> words;
    for (const Reason& reason : reasons_for(facts)) words.push_back(words_of(reason, facts.now));
    return words;
  }
  std::vector<ReasonCode> codes(const std::string& job) {
    std::vector<ReasonCode> codes;
    for (const Reason& reason : reasons_for(gather_facts(store_, *store_.get_job(job)))) codes.push_back(reason.code);
    return codes;
  }
  /// A live, idle group that renders what add_job makes.
  queue::GroupRecord group(const std::string& id) const {
    queue::GroupRecord group;
    group.id = id;
    group.host = "host-of-" + id;
    group.bundle = "demo";
    group.bundle_hash = kBundle;
    group.fingerprint = queue::test::kFingerprint;
    group.dtype = "fp32";
    group.state = queue::GroupState::idle;
    return group;
  }
  void registered(const queue::GroupRecord& group) {
    store_.register_group(group);
    store_.heartbeat_group(group.id, group.state, group.note);
  }
  /// A job as the coordinator completes it: the planner of the tests leaves the bundle's hash to the tasks.
  std::string job(int windows, queue::JobSpec spec = queue::test::make_spec()) {
    spec.bundle_hash = kBundle;
    return add_job(store_, windows, false, spec);
  }

  queue::test::TestFarm farm_;
  queue::JobStore store_ = farm_.make_store();
};

TEST_F(Why, ASubmittedJobWaitsForACoordinator) {
  const std::string job = store_.submit(queue::test::make_spec()).job;
  farm_.advance(90s);
  EXPECT_THAT(lines(job), ElementsAre(AllOf(HasSubstr("submitted 1 min 30 s ago"), HasSubstr("no coordinator"))));
}

TEST_F(Why, ASubmittedJobThatWaitsHasTheCoordinatorsWords) {
  const std::string job = store_.submit(queue::test::make_spec()).job;
  store_.note_waiting(job, "no bundle is registered yet");
  EXPECT_THAT(lines(job), ElementsAre(HasSubstr("and waits: no bundle is registered yet")));
}

TEST_F(Why, ARejectedJobHasTheCoordinatorsWords) {
  const std::string job = store_.submit(queue::test::make_spec()).job;
  store_.reject(job, "steps is 0");
  EXPECT_THAT(lines(job), ElementsAre("rejected: steps is 0"));
}

TEST_F(Why, AHeldJobNamesTheOtherAndItsState) {
  const std::string first = job(1);
  queue::JobSpec spec = queue::test::make_spec();
  spec.after = first;
  const std::string second = job(1, spec);
  EXPECT_THAT(lines(second), ElementsAre("held until job " + first + " is done, which is queued"));
  store_.cancel(first, "by ann@desk");
  EXPECT_THAT(lines(second), ElementsAre(HasSubstr("which is cancelled")));
  EXPECT_THAT(lines(first), ElementsAre(HasSubstr("by ann@desk")));
  store_.forget(first);
  EXPECT_THAT(lines(second), ElementsAre(HasSubstr("not in this farm any more")));
}

TEST_F(Why, APausedJobSaysSinceWhenAndHowToGoOn) {
  const std::string paused = job(1);
  store_.pause(paused);
  EXPECT_EQ(codes(paused), std::vector<ReasonCode>{ReasonCode::paused});
  EXPECT_THAT(lines(paused)[0], AllOf(HasSubstr(" at 20"), HasSubstr("reelfarm resume")));
}

TEST_F(Why, WithoutGroupsItSaysSo) {
  EXPECT_THAT(lines(job(2)), ElementsAre("window 0 is ready, and there is no worker group (reelfarm up, "
                                         "reelfarm-worker)",
                                         "window 1 waits for window 0"));
}

TEST_F(Why, EachGroupThatDoesNotTakeItHasItsOwnReason) {
  queue::JobSpec spec = queue::test::make_spec();
  spec.dtype = "fp32";
  const std::string waiting = job(1, spec);
  auto other = group("g1");
  other.bundle = "magic";
  other.bundle_hash = "beef";
  registered(other);
  other = group("g2");
  other.dtype = "bf16";
  registered(other);
  other = group("g3");
  other.state = queue::GroupState::starting;
  registered(other);
  registered(group("g4"));
  store_.request_drain("g4");
  other = group("g5");
  other.state = queue::GroupState::failed;
  other.note = "the bundle is broken";
  registered(other);
  other = group("g6");
  other.note = "DATA /x is another farm's";
  registered(other);
  EXPECT_THAT(lines(waiting),
              ElementsAre(HasSubstr("no group that is there takes it"),
                          AllOf(HasSubstr("g1"), HasSubstr("host-of-g1"), HasSubstr("another bundle: magic")),
                          AllOf(HasSubstr("g2"), HasSubstr("calculates in bf16, and the job asks for fp32")),
                          AllOf(HasSubstr("g3"), HasSubstr("is starting")),
                          AllOf(HasSubstr("g4"), HasSubstr("draining"), HasSubstr("undrain")),
                          AllOf(HasSubstr("g5"), HasSubstr("the bundle is broken")),
                          AllOf(HasSubstr("g6"), HasSubstr("DATA /x is another farm's"))));
  registered(group("g7"));
  EXPECT_THAT(lines(waiting)[0], AllOf(HasSubstr("g7"), HasSubstr("is free and takes window 0")));
  farm_.advance(60s);
  EXPECT_THAT(lines(waiting)[1], AllOf(HasSubstr("g1"), HasSubstr("last seen 1 min 00 s ago")));
}

TEST_F(Why, AGroupOfOtherBitsDoesNotGoOnWithAJobUnlessAMixIsAllowed) {
  const std::string begun = job(2);
  const queue::Lease lease = must_claim(store_, render_filter("g1"));
  store_.release(lease.token, "drained");
  auto other = group("g2");
  other.fingerprint = "fp-b";
  registered(other);
  EXPECT_THAT(lines(begun)[1], HasSubstr("its fingerprint is fp-b"));
  store_.allow_mix(begun, true);
  EXPECT_THAT(lines(begun)[0], HasSubstr("g2 (host host-of-g2) is free"));
}

TEST_F(Why, BusyGroupsAndTheJobsThatGoFirst) {
  registered(group("g1"));
  const std::string running = job(2);
  must_claim(store_, render_filter("g1"));
  const std::string urgent = job(1, queue::test::make_spec("x", 10));
  const std::string last = job(1);
  EXPECT_THAT(lines(last), ElementsAre("window 0 is ready, and the one group that can take it is busy",
                                       "2 other jobs go first: 1 of higher priority, 1 submitted earlier",
                                       AllOf(HasSubstr("g1"), HasSubstr("is busy with " + running + ".w0000"))));
  EXPECT_THAT(codes(urgent), ElementsAre(ReasonCode::groups_busy, ReasonCode::group));
  store_.pause(urgent);
  EXPECT_THAT(lines(last)[1], "1 other job goes first: 1 submitted earlier");
}

TEST_F(Why, WhatRunsSaysWhereAndHowFarItIs) {
  const std::string running = job(3);
  const queue::Lease lease = must_claim(store_, render_filter("g1"));
  store_.tick(lease.token, {"step", 2, 4, 0});
  farm_.advance(5s);
  EXPECT_THAT(lines(running), ElementsAre("window 0 runs on g1 (host host-of-g1), step 2 of 4, phase step, for 5.0 s",
                                          "window 1 and 1 later one wait for window 0"));
  farm_.advance(20s);
  EXPECT_THAT(lines(running)[0], AllOf(HasSubstr("the lease of g1 on window 0 ran out"), HasSubstr("coordinator")));
}

TEST_F(Why, ATaskThatCrashedRestsAndThenIsGivenUp) {
  const std::string crashing = job(2);
  for (int crash = 1; crash <= 5; ++crash) {
    const queue::Lease lease = must_claim(store_, render_filter("g1"));
    store_.fail(lease.token, queue::FailureClass::crash, "rank 1 died");
    if (crash < 5) {
      EXPECT_THAT(lines(crashing)[0], AllOf(HasSubstr("window 0 rests"),
                                            HasSubstr("wrong " + std::to_string(crash) + " of at most 5 times"),
                                            HasSubstr("host-of-g1"), HasSubstr("rank 1 died")));
    }
    farm_.advance(2min);
  }
  EXPECT_THAT(lines(crashing),
              ElementsAre(AllOf(HasSubstr("window 0 broke off 5 times at one step, last on host host-of-g1"),
                                HasSubstr("rank 1 died"), HasSubstr("reelfarm retry"))));
}

TEST_F(Why, ATaskWhoseNodeDiedRestsAndIsLongNotGivenUp) {
  const auto start = std::chrono::steady_clock::now();
  store_.reap(start);
  const std::string lost = job(1);
  must_claim(store_, render_filter("g1"));
  farm_.advance(16s);
  EXPECT_EQ(store_.reap(start + 16s).requeued, 1);
  EXPECT_THAT(lines(lost)[0], AllOf(HasSubstr("window 0 rests"), HasSubstr("wrong 1 of at most 10 times"),
                                    HasSubstr("no sign of life")));
}

TEST_F(Why, AHostThatCrashedTheJobIsPassedByUnlessItIsTheLastOne) {
  registered(group("g1"));
  const std::string crashing = job(1);
  for (int crash = 0; crash < 2; ++crash) {
    store_.fail(must_claim(store_, render_filter("g1")).token, queue::FailureClass::crash, "rank 1 died");
    farm_.advance(10s);
    store_.heartbeat_group("g1", queue::GroupState::idle);
  }
  EXPECT_THAT(lines(crashing), ElementsAre(HasSubstr("g1 (host host-of-g1) is free")));
  registered(group("g2"));
  EXPECT_FALSE(store_.claim(render_filter("g1")));
  EXPECT_THAT(lines(crashing), ElementsAre(HasSubstr("g2 (host host-of-g2) is free"),
                                           AllOf(HasSubstr("g1"), HasSubstr("is passed by for this job"))));
}

TEST_F(Why, AFullDiskStartsNoWindow) {
  registered(group("g1"));
  const std::string waiting = job(1);
  queue::DiskState disk;
  disk.full = true;
  disk.free = 1 << 20;
  disk.capacity = 1 << 30;
  disk.high_water = 95;
  store_.report_disk(disk);
  EXPECT_FALSE(store_.claim(render_filter("g1")));
  EXPECT_THAT(lines(waiting), ElementsAre(AllOf(HasSubstr("window 0 is ready, but the disk is more than 95 % full"),
                                                HasSubstr("1.0 MiB of 1.0 GiB"), HasSubstr("reelfarm du"))));
}

TEST_F(Why, AFarmThatIsPausedIsSaidOfWhatIsReady) {
  registered(group("g1"));
  const std::string ready = job(1);
  store_.pause_farm("ann@h");
  EXPECT_EQ(codes(ready), std::vector<ReasonCode>{ReasonCode::farm_paused});
  EXPECT_THAT(lines(ready)[0], AllOf(HasSubstr("window 0 is ready, but the whole farm is paused by ann@h"),
                                     HasSubstr("reelfarm resume --all")));
  store_.resume_farm("ann@h");
  EXPECT_THAT(codes(ready), Not(testing::Contains(ReasonCode::farm_paused)));
}

TEST_F(Why, AStitchWaitsForAStitcher) {
  const std::string rendered = job(1);
  const queue::Lease window = must_claim(store_, render_filter("g1"));
  store_.finish(window.token, queue::test::make_report("w"));
  EXPECT_THAT(lines(rendered), ElementsAre(HasSubstr("no stitcher is running: start one")));
  queue::StitcherRecord stitcher{.id = stitch_filter().owner, .host = "h", .note = "DATA /x has no marker"};
  store_.heartbeat_stitcher(stitcher);
  EXPECT_THAT(lines(rendered), ElementsAre(AllOf(HasSubstr("takes nothing"), HasSubstr("DATA /x has no marker"))));
  stitcher.note.clear();
  store_.heartbeat_stitcher(stitcher);
  EXPECT_THAT(lines(rendered), ElementsAre(HasSubstr(stitcher.id + " (host h) takes it at its next look")));
  farm_.advance(1min);
  EXPECT_THAT(lines(rendered), ElementsAre(HasSubstr("no stitcher is running (the last one was seen 1 min 00 s ago)")));
  store_.heartbeat_stitcher(stitcher);
  const std::string other = job(1);
  store_.finish(must_claim(store_, render_filter("g1")).token, queue::test::make_report("w"));
  const queue::Lease first = must_claim(store_, stitch_filter());
  EXPECT_THAT(lines(other), ElementsAre(HasSubstr("1 stitcher is busy with others")));
  store_.finish(first.token, queue::test::make_report("v"));
  EXPECT_THAT(lines(rendered), ElementsAre(AllOf(HasSubstr("done at "), HasSubstr("artifacts/v"))));
}

TEST_F(Why, TheJsonOfAReasonHasItsWordsAndItsNumbers) {
  const std::string running = job(1);
  must_claim(store_, render_filter("g1"));
  const Facts facts = gather_facts(store_, *store_.get_job(running));
  const nlohmann::json document = json_of(reasons_for(facts)[0], facts.now);
  EXPECT_EQ(document.at("reason"), "running");
  EXPECT_EQ(document.at("owner"), "g1");
  EXPECT_EQ(document.at("task"), running + ".w0000");
  EXPECT_EQ(document.at("text"), words_of(reasons_for(facts)[0], facts.now));
  EXPECT_GT(document.at("until_ms").get<std::int64_t>(), document.at("since_ms").get<std::int64_t>());
  EXPECT_FALSE(document.contains("bar"));
}

TEST(WhyWords, TheJsonOfAGroupOfAnotherDtypeHasBothByThemselves) {
  Reason reason;
  reason.code = ReasonCode::group;
  reason.bar = GroupBar::other_dtype;
  reason.detail = "bf16";
  reason.wanted = "fp32";
  const nlohmann::json document = json_of(reason, {});
  EXPECT_EQ(document.at("detail"), "bf16");
  EXPECT_EQ(document.at("wanted"), "fp32");
}

}  // namespace
}  // namespace reelfarm::why
