#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/report/words.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::cli {
namespace {

using namespace std::chrono_literals;
using queue::JobState;
using queue::test::add_job;
using queue::test::kBundle;
using queue::test::must_claim;
using queue::test::render_filter;
using queue::test::stitch_filter;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Report : public testing::Test {
 protected:
  NightReport report(std::chrono::milliseconds span = 12h) { return make_report(read_night(store_, span)); }
  void register_group(const std::string& id) {
    queue::GroupRecord group;
    group.id = id;
    group.host = "host-of-" + id;
    group.bundle_hash = kBundle;
    group.fingerprint = queue::test::kFingerprint;
    store_.register_group(group);
    store_.heartbeat_group(id, queue::GroupState::idle);
    stitcher_lives();
  }
  void stitcher_lives() { store_.heartbeat_stitcher({.id = "s1", .host = "host-of-s1", .follow = 4}); }
  std::string job(int windows) {
    queue::JobSpec spec = queue::test::make_spec();
    spec.bundle_hash = kBundle;
    return add_job(store_, windows, false, spec);
  }
  void render(std::chrono::milliseconds takes) {
    const queue::Lease lease = must_claim(store_, render_filter("g1"));
    farm_.advance(takes);
    store_.heartbeat_group("g1", queue::GroupState::idle);
    stitcher_lives();
    store_.finish(lease.token, queue::test::make_report(lease.token.task));
  }
  std::string hands(const NightReport& report) const {
    std::string text;
    for (const NeedsHand& item : report.needs_hand) text += item.subject + ": " + item.what + "\n";
    return text;
  }

  queue::test::TestFarm farm_;
  queue::JobStore store_ = farm_.make_store();
};

TEST_F(Report, OfAQuietNightHasNothingToSay) {
  const NightReport quiet = report();
  EXPECT_THAT(quiet.jobs, IsEmpty());
  EXPECT_EQ(quiet.windows.count, 0);
  EXPECT_THAT(quiet.needs_hand, IsEmpty());
  EXPECT_THAT(text_of(quiet), HasSubstr("needs a hand   nothing"));
}

TEST_F(Report, CountsJobsAndWindowsOfTheTimeThatIsAsked) {
  register_group("g1");
  const std::string done = job(3);
  render(2s);
  render(10s);
  render(3s);
  store_.finish(must_claim(store_, stitch_filter()).token, queue::test::make_report("v"));
  store_.cancel(job(1));
  job(1);
  const NightReport night = report();
  EXPECT_EQ(night.jobs.at(JobState::done), 1);
  EXPECT_EQ(night.jobs.at(JobState::cancelled), 1);
  EXPECT_EQ(night.jobs.at(JobState::queued), 1);
  EXPECT_EQ(night.windows.count, 3);
  EXPECT_NEAR(night.windows.median_seconds, 3, 0.5);
  EXPECT_NEAR(night.windows.worst_seconds, 10, 0.5);
  EXPECT_EQ(night.windows.worst_task, done + ".w0001");
  EXPECT_THAT(night.hosts, IsEmpty());
  EXPECT_EQ(hands(night), "");
  EXPECT_EQ(json_of(night).at("jobs").at("done"), 1);
  farm_.advance(2h);
  const NightReport later = report(1h);
  EXPECT_EQ(later.jobs.count(JobState::done), 0U);
  EXPECT_EQ(later.jobs.at(JobState::queued), 1);
  EXPECT_EQ(later.windows.count, 0);
}

TEST_F(Report, TellsWhichHostHadTroubleAndWhichJobFailed) {
  register_group("g1");
  register_group("g2");
  const std::string failing = job(1);
  const auto fail = [&](queue::FailureClass failure, const char* words) {
    store_.fail(must_claim(store_, render_filter("g1")).token, failure, words);
    farm_.advance(10s);
    for (const char* group : {"g1", "g2"}) store_.heartbeat_group(group, queue::GroupState::idle);
  };
  fail(queue::FailureClass::crash, "rank 1 died");
  store_.release(must_claim(store_, render_filter("g2")).token, "drained");
  fail(queue::FailureClass::memory, "out of memory");
  fail(queue::FailureClass::hang, "no tick");
  store_.fail(must_claim(store_, render_filter("g2")).token, queue::FailureClass::data, "the image is no image");
  const NightReport night = report();
  ASSERT_EQ(night.failed.size(), 1U);
  EXPECT_EQ(night.failed[0].job, failing);
  EXPECT_EQ(night.failed[0].reason, "the image is no image");
  const HostTrouble& first = night.hosts.at("host-of-g1");
  EXPECT_EQ(first.crashes, 2);
  EXPECT_EQ(first.hangs, 1);
  EXPECT_EQ(first.errors, 1);
  EXPECT_EQ(first.claims_anew, 2);
  const HostTrouble& second = night.hosts.at("host-of-g2");
  EXPECT_EQ(second.crashes, 0);
  EXPECT_EQ(second.errors, 1);
  EXPECT_EQ(second.released, 1);
  EXPECT_THAT(hands(night), HasSubstr(failing + ": failed: the image is no image"));
  EXPECT_THAT(hands(night), HasSubstr("host-of-g1: crashed windows of " + failing));
  EXPECT_THAT(text_of(night), HasSubstr("host-of-g1: crashes 2 (hangs 1), errors 1, given back 0, taken over 2"));
}

TEST_F(Report, DoesNotCallAPauseTrouble) {
  register_group("g1");
  const std::string paused = job(1);
  const queue::Lease lease = must_claim(store_, render_filter("g1"));
  store_.pause(paused);
  ASSERT_EQ(store_.release(lease.token, "stopped"), queue::ReplyCode::ok);
  EXPECT_THAT(report().hosts, IsEmpty());
}

TEST_F(Report, TellsWhatWaitsForWhatNobodyProvides) {
  const std::string alone = job(1);
  const std::string submitted = store_.submit(queue::test::make_spec()).job;
  EXPECT_THAT(hands(report()), HasSubstr(alone + ": no group"));
  EXPECT_THAT(hands(report()), Not(HasSubstr(submitted))) << "a second is no reason to worry";
  register_group("g1");
  EXPECT_THAT(hands(report()), Not(HasSubstr(alone)));
  farm_.advance(2min);
  const std::string text = hands(report());
  EXPECT_THAT(text, HasSubstr(submitted + ": no coordinator"));
  EXPECT_THAT(text, HasSubstr("g1: of host host-of-g1 is gone"));
}

TEST_F(Report, TellsOfWindowsThatAreAllBlack) {
  register_group("g1");
  const std::string black = job(2);
  queue::FinishReport result = queue::test::make_report("w0");
  result.artifact.frames = 17;
  result.metrics = R"({"black_frames": 16})";
  ASSERT_EQ(store_.finish(must_claim(store_, render_filter("g1")).token, result), queue::ReplyCode::ok);
  EXPECT_EQ(hands(report()), "");
  result.metrics = R"({"black_frames": 17})";
  ASSERT_EQ(store_.finish(must_claim(store_, render_filter("g1")).token, result), queue::ReplyCode::ok);
  EXPECT_EQ(hands(report()), black + ": every frame of window 1 is black\n");
}

TEST_F(Report, TellsThatNoStitcherIsRunning) {
  register_group("g1");
  const std::string queued = job(1);
  EXPECT_EQ(hands(report()), "");
  farm_.advance(2min);
  store_.heartbeat_group("g1", queue::GroupState::idle);
  EXPECT_THAT(hands(report()), HasSubstr(queued + ": no stitcher is running"));
  EXPECT_THAT(hands(report()), HasSubstr("s1: of host host-of-s1 is gone"));
  stitcher_lives();
  EXPECT_EQ(hands(report()), "");
}

TEST_F(Report, AsAPageSaysTheSameAndKeepsMarkupOut) {
  queue::JobSpec spec = queue::test::make_spec();
  spec.name = "<script>alert(1)</script> & \"more\"";
  const std::string failed = add_job(store_, 1, false, spec);
  store_.fail(must_claim(store_, render_filter("g1")).token, queue::FailureClass::data, "no <b>room</b>");
  const std::string page = html_of(report());
  EXPECT_THAT(page, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("<td>" + failed +
                              "</td><td>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;</td>"
                              "<td>no &lt;b&gt;room&lt;/b&gt;</td>"));
  EXPECT_THAT(page, HasSubstr("1 failed"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(html_of(NightReport{}), HasSubstr("Nothing needs a hand."));
}

TEST_F(Report, SaysWhenTheEventsDoNotReachBack) {
  job(1);
  EXPECT_THAT(text_of(report(12h)), HasSubstr("events that are kept begin at"));
  NightRecords records = read_night(store_, 12h);
  records.oldest_event = records.since;
  EXPECT_FALSE(make_report(records).events_from);
}

}  // namespace
}  // namespace reelfarm::cli
