// Servers that are unsafe, old, absent, locked, restarted, or have forgotten their scripts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <fstream>
#include <thread>

#include "queue/detail/scripts.hpp"
#include "tests/queue/support.hpp"
#include "tests/support/fake_redis.hpp"

namespace reelfarm::queue::test {
namespace {

using reelfarm::test::FakeRedis;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// The text of what `call` throws, which must be an E.
template <typename E, typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no error";
  return {};
}

StoreOptions options_for(const std::string& url) {
  StoreOptions options;
  options.url = url;
  return options;
}

TEST(ServerCheck, RefusesAnOldServerAndNamesItsVersion) {
  const FakeRedis server(FakeRedis::of_version("6.0.16"));
  const std::string text = error_of<UnsupportedServerError>([&] { JobStore store(options_for(server.url())); });
  EXPECT_THAT(text, HasSubstr("6.0.16"));
  EXPECT_THAT(text, HasSubstr("6.2"));
}

TEST(ServerCheck, RefusesEvictionAndVolatileServers) {
  const TemporaryFolder folder;
  PrivateRedis evicting(
      {.directory = folder.path() / "a", .fsync = AppendFsync::no, .maxmemory_policy = "allkeys-lru"});
  EXPECT_THAT(error_of<UnsafeServerError>([&] { JobStore store(options_for(evicting.url())); }),
              HasSubstr("allkeys-lru"));
  PrivateRedis forgetful({.directory = folder.path() / "b", .append_only = false});
  EXPECT_THAT(error_of<UnsafeServerError>([&] { JobStore store(options_for(forgetful.url())); }),
              HasSubstr("appendonly"));
  StoreOptions on_purpose = options_for(forgetful.url());
  on_purpose.allow_volatile = true;
  EXPECT_NO_THROW(JobStore store(on_purpose));
  detail::RedisConnection connection({.url = RedisUrl::parse(forgetful.url())});
  connection.command({"CONFIG", "SET", "save", "60 1"});
  EXPECT_NO_THROW(JobStore store(options_for(forgetful.url()))) << "snapshots are persistence too";
}

TEST(ServerCheck, RefusesAFarmOfAnotherSchema) {
  TestFarm farm;
  farm.raw({"HSET", farm.keys().farm(), "schema", "2"});
  EXPECT_THAT(error_of<SchemaError>([&] { farm.make_store(); }), HasSubstr("schema 2"));
}

TEST(Connection, AnAbsentServerIsAClearError) {
  EXPECT_THAT(error_of<ConnectionError>([] { JobStore store(options_for("redis://:secret@127.0.0.1:1/0")); }),
              testing::AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("refused"), testing::Not(HasSubstr("secret"))));
  EXPECT_THAT(error_of<ConnectionError>([] { JobStore store(options_for("unix:///nowhere/redis.sock")); }),
              HasSubstr("/nowhere/redis.sock"));
}

TEST(Connection, ASilentServerRunsIntoTheTimeOut) {
  const FakeRedis server([](const std::string&) { return ""; });
  StoreOptions options = options_for(server.url());
  options.command_timeout = milliseconds(100);
  EXPECT_THAT(error_of<TimeoutError>([&] { JobStore store(options); }), HasSubstr("100 ms"));
}

TEST(Connection, ALoadingServerIsWaitedFor) {
  std::atomic<int> pings = 0;
  const FakeRedis server([&](const std::string& request) -> std::string {
    if (request.find("PING") == std::string::npos) return FakeRedis::bulk("redis_version:2.8.0");
    return ++pings < 3 ? "-LOADING Redis is loading the dataset in memory\r\n" : "+PONG\r\n";
  });
  error_of<UnsupportedServerError>([&] { JobStore store(options_for(server.url())); });
  EXPECT_EQ(pings, 3);
  pings = -1000000;
  StoreOptions options = options_for(server.url());
  options.loading_timeout = milliseconds(50);
  EXPECT_THAT(error_of<TimeoutError>([&] { JobStore store(options); }), HasSubstr("loading"));
}

TEST(Connection, AServerThatTakesNoWritesIsNotReadyAndAppliesNothing) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = add_job(store, 1);
  // The same refusal, before the first write of a script, as when the server's disk is full (MISCONF).
  farm.raw({"CONFIG", "SET", "min-replicas-to-write", "1"});
  EXPECT_THAT(error_of<NotReadyError>([&] { store.claim(render_filter("g1")); }), HasSubstr("NOREPLICAS"));
  EXPECT_EQ(task_states(store, job), "w0:ready stitch:waiting");
  farm.raw({"CONFIG", "SET", "min-replicas-to-write", "0"});
  EXPECT_TRUE(store.claim(render_filter("g1")).has_value());
}

TEST(Connection, PasswordsAreUsedAndNeverShown) {
  const TemporaryFolder folder;
  PrivateRedis redis({.directory = folder.path(), .password = "p@ss/w:rd \"\\#", .fsync = AppendFsync::no});
  EXPECT_NO_THROW(JobStore store(options_for(redis.url())));
  const std::string bare = redis.url().substr(0, redis.url().find('?'));
  EXPECT_THAT(error_of<AuthenticationError>([&] { JobStore store(options_for(bare)); }), HasSubstr("password"));
  EXPECT_THAT(error_of<AuthenticationError>([&] { JobStore store(options_for(bare + "?password=guess")); }),
              testing::AllOf(HasSubstr("refused the password"), testing::Not(HasSubstr("guess"))));
}

TEST(Connection, FlushedScriptsAreSentAgain) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  farm.raw({"SCRIPT", "FLUSH"});
  const Lease lease = must_claim(store, render_filter("g1"));
  farm.raw({"SCRIPT", "FLUSH"});
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok);
}

TEST(Connection, AKilledConnectionIsOpenedAgainAndNothingIsDoneTwice) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  farm.raw({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  const Lease lease = must_claim(store, render_filter("g1"));
  EXPECT_EQ(lease.token.attempt, 1);
  farm.raw({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(store.finish(lease.token, make_report("w0")), ReplyCode::ok);
}

TEST(Connection, ARepeatedClaimGivesTheSameLease) {
  TestFarm farm;
  JobStore store = farm.make_store();
  add_job(store, 1);
  add_job(store, 1);
  // What a store sends twice when the answer to the first was lost.
  const std::string& text = detail::find_script("claim").text;
  const detail::Arguments call = {"EVAL",
                                  text,
                                  "1",
                                  farm.keys().leases(),
                                  farm.keys().prefix(),
                                  "1000",
                                  "g1",
                                  "h",
                                  "nonce",
                                  "15000",
                                  "window",
                                  kBundle,
                                  kFingerprint,
                                  "",
                                  "0",
                                  "2",
                                  "15000"};
  const std::vector<std::string> first = farm.raw(call);
  const std::vector<std::string> second = farm.raw(call);
  // ok, task, attempt and expiry; the record's fields follow in no particular order.
  ASSERT_GT(second.size(), 4u);
  EXPECT_EQ(std::vector(first.begin(), first.begin() + 4), std::vector(second.begin(), second.begin() + 4));
  EXPECT_EQ(store.leases().size(), 1u);
}

TEST(Restart, AKilledServerComesBackWithEverything) {
  const TemporaryFolder folder;
  PrivateRedis redis({.directory = folder.path(), .fsync = AppendFsync::always});
  JobStore store(options_for(redis.url()));
  const std::string job = add_job(store, 2);
  const Lease first = must_claim(store, render_filter("g1"));
  store.tail(first.token, make_artifact("t0"));
  const std::string inbox = store.submit(make_spec("still in the inbox")).job;
  const std::string farm_id = store.adopt_farm_id();
  redis.kill();
  EXPECT_FALSE(redis.running());
  EXPECT_THROW(store.renew(first.token), ConnectionError);
  redis.start();
  EXPECT_EQ(store.renew(first.token), ReplyCode::ok) << "the lease and the script's caller survive";
  EXPECT_EQ(store.farm_id(), farm_id);
  EXPECT_EQ(store.get_job(inbox)->state, JobState::submitted);
  EXPECT_EQ(task_states(store, job), "w0:leased w1:ready stitch:waiting");
  EXPECT_EQ(store.finish(first.token, make_report("w0")), ReplyCode::ok);
}

TEST(Restart, TheReaperGrantsAFullTermAfterALostConnection) {
  const TemporaryFolder folder;
  PrivateRedis redis({.directory = folder.path(), .fsync = AppendFsync::no});
  StoreOptions options = options_for(redis.url());
  options.lease = milliseconds(200);
  JobStore reaper(options);
  JobStore store(options);
  reaper.reap();
  add_job(store, 1);
  const Lease lease = must_claim(store, render_filter("g1"));
  redis.stop();
  redis.start();
  detail::RedisConnection raw({.url = RedisUrl::parse(redis.url())});
  raw.command({"SET", Keys(options.farm).clock_offset(), "1000"});  // longer away than the lease
  EXPECT_EQ(reaper.reap().requeued, 0);
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok);
}

TEST(PrivateRedisServer, TwoOnOneFolderAreRefused) {
  const TemporaryFolder folder;
  PrivateRedis first({.directory = folder.path(), .fsync = AppendFsync::no});
  EXPECT_THAT(error_of<ServerStartError>([&] { PrivateRedis second({.directory = folder.path()}); }),
              HasSubstr("another redis-server"));
  EXPECT_TRUE(first.running());
}

TEST(PrivateRedisServer, SaysWhyItCannotStart) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of<ServerStartError>(
                  [&] { PrivateRedis redis({.directory = folder.path(), .program = "no-such-redis-server"}); }),
              HasSubstr("no-such-redis-server"));
  EXPECT_THAT(error_of<ServerStartError>(
                  [&] { PrivateRedis redis({.directory = folder.path(), .maxmemory_policy = "nonsense"}); }),
              HasSubstr("maxmemory-policy"));
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_THAT(error_of<ServerStartError>([&] { PrivateRedis redis({.directory = folder.path() / "file" / "sub"}); }),
              HasSubstr("cannot make the folder"));
}

TEST(PrivateRedisServer, ALongFolderNameStillGetsASocket) {
  const TemporaryFolder folder;
  PrivateRedis redis({.directory = folder.path() / std::string(120, 'd') / "a b", .fsync = AppendFsync::no});
  EXPECT_NO_THROW(JobStore store(options_for(redis.url())));
}

class AddressInAFile : public testing::Test {
 protected:
  void write(const std::string& text, std::filesystem::perms mode = std::filesystem::perms(0600)) const {
    std::ofstream(file_) << text;
    std::filesystem::permissions(file_, mode);
  }

  const TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "farm.json";
  const std::string url_ = "file://" + file_.string();
};

TEST_F(AddressInAFile, IsReadAtEveryConnectSoThatAServerMayMove) {
  const TemporaryFolder here;
  const TemporaryFolder there;
  PrivateRedis first({.directory = here.path(), .password = "one", .fsync = AppendFsync::no});
  write("{\"redis\": \"" + first.url() + "\"}");
  JobStore store(options_for(url_));
  const std::string farm = store.adopt_farm_id();
  first.stop();
  std::filesystem::remove(file_);
  EXPECT_THAT(error_of<ConnectionError>([&] { store.farm_id(); }), HasSubstr("no address of Redis"));
  std::filesystem::copy(here.path() / "appendonlydir", there.path() / "appendonlydir");
  const PrivateRedis second({.directory = there.path(), .password = "two", .fsync = AppendFsync::no});
  write(second.url() + "\n");
  EXPECT_EQ(store.farm_id(), farm);
}

TEST_F(AddressInAFile, AForeignServerAtAnOldAddressIsAConnectionLost) {
  const TemporaryFolder directory;
  PrivateRedis server({.directory = directory.path(), .password = "one", .fsync = AppendFsync::no});
  write(server.url());
  JobStore store(options_for(url_));
  store.farm_id();
  server.kill();
  const PrivateRedis foreign({.directory = directory.path(), .password = "other", .fsync = AppendFsync::no});
  EXPECT_THAT(error_of<ConnectionError>([&] { store.farm_id(); }), HasSubstr("refused the password"));
  EXPECT_THROW(JobStore fresh(options_for(url_)), AuthenticationError);
}

TEST_F(AddressInAFile, HoldsNoPasswordForEverybodyToRead) {
  write("redis://:secret@localhost:1", std::filesystem::perms(0644));
  const std::string text = error_of<UrlError>([&] { JobStore store(options_for(url_)); });
  EXPECT_THAT(text, testing::AllOf(HasSubstr("chmod o-rwx"), testing::Not(HasSubstr("secret"))));
  write("redis://:sec ret@");
  EXPECT_THAT(error_of<UrlError>([&] { JobStore store(options_for(url_)); }),
              testing::AllOf(HasSubstr(file_.string()), testing::Not(HasSubstr("sec ret"))));
  write(url_);
  EXPECT_THAT(error_of<UrlError>([&] { JobStore store(options_for(url_)); }), HasSubstr("names another file"));
}

TEST(PrivateRedisServer, OtherMachinesReachItOnlyWithItsPassword) {
  const TemporaryFolder folder;
  EXPECT_THAT(
      error_of<ServerStartError>([&] { PrivateRedis redis({.directory = folder.path(), .every_interface = true}); }),
      HasSubstr("needs a password"));
  const std::string password = kept_password(folder.path() / "password");
  EXPECT_EQ(password.size(), 32U);
  EXPECT_EQ(kept_password(folder.path() / "password"), password);
  EXPECT_EQ(std::filesystem::status(folder.path() / "password").permissions(), std::filesystem::perms(0600));
  int port = 0;
  {
    const FakeRedis server([](const std::string&) { return ""; });  // finds a free port
    port = RedisUrl::parse(server.url()).port;
  }
  const PrivateRedis redis({.directory = folder.path(),
                            .port = port,
                            .every_interface = true,
                            .password = password,
                            .fsync = AppendFsync::no});
  EXPECT_NO_THROW(JobStore store(options_for(redis.url_for_others("127.0.0.1"))));
  EXPECT_THROW(JobStore store(options_for("redis://127.0.0.1:" + std::to_string(port))), AuthenticationError);
}

TEST(PrivateRedisServer, ListensOnLoopbackWhenAskedAndStops) {
  const TemporaryFolder folder;
  int port = 0;
  {
    const FakeRedis server([](const std::string&) { return ""; });  // finds a free port
    port = RedisUrl::parse(server.url()).port;
  }
  PrivateRedis redis({.directory = folder.path(), .port = port, .fsync = AppendFsync::no});
  EXPECT_NO_THROW(JobStore store(options_for("redis://localhost:" + std::to_string(port))));
  redis.stop();
  EXPECT_FALSE(redis.running());
  EXPECT_THROW(JobStore store(options_for(redis.url())), ConnectionError);
}

}  // namespace
}  // namespace reelfarm::queue::test
