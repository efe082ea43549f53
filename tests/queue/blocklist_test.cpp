#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::seconds;

/// Two groups on two hosts; the first has crashed twice on the only window of a job.
class Blocklist : public testing::Test {
 protected:
  Blocklist() {
    farm_.options.retry.backoff_base = std::chrono::milliseconds(0);
    store_.emplace(farm_.make_store());
    store_->register_group(group_of(bad_));
    job_ = add_job(*store_, 1);
    for (const FailureClass failure : {FailureClass::crash, FailureClass::hang}) {
      store_->fail(must_claim(*store_, bad_).token, failure, "gone");
    }
  }
  int events(const std::string& type) {
    int count = 0;
    EventReader reader(farm_.options, "0");
    for (const Event& event : reader.read(std::chrono::milliseconds(100), 1000)) {
      if (event.type == type && event.job == job_ && event.text == bad_.host) ++count;
    }
    return count;
  }

  TestFarm farm_;
  std::optional<JobStore> store_;
  const ClaimFilter bad_ = render_filter("g1");
  const ClaimFilter good_ = render_filter("g2");
  std::string job_;
};

TEST_F(Blocklist, PassesABadHostByForThatJobAlone) {
  store_->register_group(group_of(good_));
  const std::vector<HostCrashes> hosts = store_->host_crashes(job_);
  ASSERT_EQ(hosts.size(), 1u);
  EXPECT_EQ(hosts[0].host, bad_.host);
  EXPECT_EQ(hosts[0].crashes, 2);
  EXPECT_TRUE(hosts[0].blocklisted);
  EXPECT_EQ(events("blocklisted"), 1);
  EXPECT_FALSE(store_->claim(bad_).has_value());
  const std::string other = add_job(*store_, 1);
  EXPECT_EQ(must_claim(*store_, bad_).task.spec.job, other) << "what stands behind it is not held up";
  EXPECT_EQ(must_claim(*store_, good_).task.spec.job, job_) << "and it is still there";
  EXPECT_EQ(events("unblocklisted"), 0);
}

TEST_F(Blocklist, AGroupThatDiesWithTwoWindowsHasCrashedOnce) {
  const std::string held = add_job(*store_, 3, false, make_spec("held", 50));
  const auto lose_two = [&] {
    const Lease first = must_claim(*store_, bad_);
    store_->tail(first.token, make_artifact("t"));
    const Lease second = must_claim(*store_, bad_);
    ASSERT_EQ(second.task.spec.job, held);
    for (const Lease& lease : {first, second}) store_->fail(lease.token, FailureClass::crash, "rank 1 died");
  };
  lose_two();
  EXPECT_EQ(store_->host_crashes(held).at(0).crashes, 1);
  EXPECT_FALSE(store_->host_crashes(held).at(0).blocklisted);
  EXPECT_EQ(store_->get_tasks(held).at(0).crashes, 1) << "of each window it is one";
  EXPECT_EQ(store_->get_tasks(held).at(1).crashes, 1);
  lose_two();
  EXPECT_EQ(store_->host_crashes(held).at(0).crashes, 2);
  EXPECT_TRUE(store_->host_crashes(held).at(0).blocklisted);
}

TEST_F(Blocklist, TwoGroupsOfOneHostCrashEachForItself) {
  const std::string held = add_job(*store_, 3, false, make_spec("held", 50));
  ClaimFilter neighbour = render_filter("g9");
  neighbour.host = bad_.host;
  const Lease first = must_claim(*store_, bad_);
  store_->tail(first.token, make_artifact("t"));
  const Lease second = must_claim(*store_, neighbour);
  for (const Lease& lease : {first, second}) store_->fail(lease.token, FailureClass::crash, "rank 1 died");
  EXPECT_EQ(store_->host_crashes(held).at(0).crashes, 2);
}

TEST_F(Blocklist, NeverTheLastHostAndNeverSilently) {
  EXPECT_EQ(must_claim(*store_, bad_).task.spec.job, job_);
  EXPECT_EQ(events("unblocklisted"), 1);
}

TEST_F(Blocklist, ALostLeaseCountsToo) {
  const std::string lost = add_job(*store_, 1, false, make_spec("lost", 50));
  const auto start = std::chrono::steady_clock::now();
  store_->reap(start);
  must_claim(*store_, bad_);
  farm_.advance(seconds(16));
  EXPECT_EQ(store_->reap(start + seconds(16)).requeued, 1);
  ASSERT_EQ(store_->host_crashes(lost).size(), 1u);
  EXPECT_EQ(store_->host_crashes(lost)[0].crashes, 1);
  EXPECT_FALSE(store_->host_crashes(lost)[0].blocklisted);
}

TEST_F(Blocklist, RetryStartsAnew) {
  store_->register_group(group_of(good_));
  EXPECT_EQ(store_->cancel(job_).code, ChangeCode::ok);
  EXPECT_EQ(store_->retry(job_).code, ChangeCode::ok);
  EXPECT_TRUE(store_->host_crashes(job_).empty());
  EXPECT_EQ(must_claim(*store_, bad_).task.spec.job, job_);
}

struct Other {
  std::string name;
  std::function<void(GroupRecord&)> change;
  seconds silence{0};
};

void PrintTo(const Other& other, std::ostream* out) {
  *out << other.name;
}

/// Groups that are no help.
class BlocklistOther : public Blocklist, public testing::WithParamInterface<Other> {};

TEST_P(BlocklistOther, LeavesTheBadHostTheLastOne) {
  GroupRecord group = group_of(good_);
  GetParam().change(group);
  store_->register_group(group);
  farm_.advance(GetParam().silence);
  EXPECT_EQ(must_claim(*store_, bad_).task.spec.job, job_);
}

INSTANTIATE_TEST_SUITE_P(
    Groups, BlocklistOther,
    testing::Values(Other{"Draining", [](GroupRecord& group) { group.state = GroupState::draining; }},
                    Other{"Failed", [](GroupRecord& group) { group.state = GroupState::failed; }},
                    Other{"Gone", [](GroupRecord&) {}, seconds(16)},
                    Other{"OfTheSameHost", [](GroupRecord& group) { group.host = "host-of-g1"; }},
                    Other{"OfAnotherBundle", [](GroupRecord& group) { group.bundle_hash = "b1b1"; }},
                    Other{"OfAnotherFingerprint", [](GroupRecord& group) { group.fingerprint = "fp-b"; }}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace reelfarm::queue::test
