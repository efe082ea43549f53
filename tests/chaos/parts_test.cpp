// The parts of the chaos program: what it draws, how it counts, and what its proxy does to a connection.
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "queue/errors.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"
#include "tests/chaos/fault.hpp"
#include "tests/chaos/ledger.hpp"
#include "tests/chaos/proxy.hpp"
#include "tests/chaos/recovery.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::chaos {
namespace {

using std::chrono::milliseconds;

TEST(Faults, AreAFunctionOfTheSeedAndComeOnceEachBeforeOneComesTwice) {
  FaultGenerator one(7, true);
  FaultGenerator same(7, true);
  FaultGenerator other(8, true);
  bool differs = false;
  for (std::size_t round = 0; round < 3; ++round) {
    std::set<std::size_t> kinds;
    for (std::size_t i = 0; i < kFaultKinds.size(); ++i) {
      const Fault fault = one.next();
      const Fault again = same.next();
      EXPECT_EQ(fault.kind, again.kind);
      EXPECT_EQ(fault.group, again.group);
      EXPECT_EQ(fault.pause, again.pause);
      EXPECT_EQ(fault.duration, again.duration);
      EXPECT_GE(fault.duration, fault.what().shortest);
      EXPECT_LE(fault.duration, fault.what().longest);
      differs = differs || other.next().kind != fault.kind;
      kinds.insert(fault.kind);
    }
    EXPECT_EQ(kinds.size(), kFaultKinds.size());
  }
  EXPECT_TRUE(differs);
}

TEST(Faults, LeaveTheDiskAloneWhereItIsNotOurs) {
  FaultGenerator generator(1, false);
  for (int i = 0; i < 100; ++i) EXPECT_NE(generator.next().what().victim, Victim::disk);
}

queue::Event event(const std::string& type, const std::string& task, std::int64_t attempt, int at_ms) {
  queue::Event made;
  made.type = type;
  made.job = "j1";
  made.task = task;
  made.state = type == "step" ? "step" : "";
  made.attempt = attempt;
  made.time = queue::ServerTime(milliseconds(at_ms));
  return made;
}

TEST(Ledger, FindsWhatIsDoneTwiceOrClaimedAfterItWasDone) {
  Ledger ledger;
  for (const char* type : {"claimed", "claimed", "done"}) ledger.take(event(type, "j1.w0000", 1, 0));
  ledger.take(event("done", "", 0, 0));
  EXPECT_TRUE(ledger.doubled().empty());
  EXPECT_EQ(ledger.done_tasks(), 1);
  ledger.take(event("claimed", "j1.w0000", 2, 0));
  ledger.take(event("done", "j1.w0000", 2, 0));
  ledger.take(event("done", "", 0, 0));
  EXPECT_EQ(ledger.doubled().size(), 3u);
}

TEST(Ledger, LetsAResultThatWasGivenUpBeMadeAgainOnce) {
  Ledger ledger;
  for (const char* type : {"done", "input_lost", "claimed", "done"}) ledger.take(event(type, "j1.w0000", 1, 0));
  EXPECT_TRUE(ledger.doubled().empty());
  EXPECT_EQ(ledger.given_up(), 1);
  ledger.take(event("claimed", "j1.w0000", 3, 0));
  EXPECT_EQ(ledger.doubled().size(), 1u);
}

TEST(RecoveryTimes, CountOnlyAnotherAttemptWhereTheHolderIsDead) {
  RecoveryTimes times;
  times.hit(0, "j1.w0000", 1, queue::ServerTime(milliseconds(1000)), /*new_attempt=*/true);
  times.hit(1, "j1.w0000", 1, queue::ServerTime(milliseconds(1000)), /*new_attempt=*/false);
  times.take(event("step", "j1.w0000", 1, 900));   // from before
  times.take(event("step", "j1.w0001", 2, 1100));  // another's
  times.take(event("step", "j1.w0000", 1, 1200));  // the dead one's last words
  times.take(event("step", "j1.w0000", 2, 3000));
  times.take(event("step", "j1.w0000", 2, 4000));
  EXPECT_EQ(times.of(0), std::vector<milliseconds>{milliseconds(2000)});
  EXPECT_EQ(times.of(1), std::vector<milliseconds>{milliseconds(200)});
  EXPECT_TRUE(times.of(2).empty());
}

class ProxyTest : public testing::Test {
 protected:
  ProxyTest() {
    options_.url = proxy_.url();
    options_.command_timeout = milliseconds(3000);  // a busy disk is no black hole
  }
  static queue::PrivateRedisOptions in(const std::filesystem::path& folder) {
    queue::PrivateRedisOptions options;
    options.directory = folder;
    return options;
  }

  test::TemporaryFolder folder_;
  queue::PrivateRedis redis_{in(folder_.path())};
  Proxy proxy_{folder_ / "redis.sock"};
  queue::StoreOptions options_;
};

TEST_F(ProxyTest, ABlackHoleTakesEverythingAndRefusesNothing) {
  queue::JobStore store(options_);
  store.now();
  proxy_.black_hole(true);
  EXPECT_THROW(store.now(), queue::TimeoutError);
  proxy_.black_hole(false);
  EXPECT_NO_THROW(store.now());
}

TEST_F(ProxyTest, ADelayIsThereAndBack) {
  queue::JobStore store(options_);
  store.now();
  proxy_.delay(milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  store.now();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100));
  proxy_.delay(milliseconds(0));
  EXPECT_NO_THROW(store.now());
}

TEST_F(ProxyTest, ACutBreaksWhatIsConnectedAndNothingElse) {
  queue::EventReader reader(options_);
  proxy_.cut();
  EXPECT_THROW(reader.read(milliseconds(200)), queue::ConnectionError);
  EXPECT_NO_THROW(reader.read(milliseconds(0)));
}

TEST_F(ProxyTest, AServerThatIsAwayIsAConnectionThatEnds) {
  redis_.kill();
  EXPECT_THROW(queue::JobStore{options_}, queue::ConnectionError);
  redis_.start();
  EXPECT_NO_THROW(queue::JobStore{options_});
}

}  // namespace
}  // namespace reelfarm::chaos
