#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "queue/detail/redis_connection.hpp"
#include "tests/cli/command_line.hpp"
#include "tests/support/fake_redis.hpp"

namespace reelfarm {
namespace {

using test::Ended;
using testing::HasSubstr;

/// A Redis that is not what a farm needs.
class ServerTest : public testing::Test {
 protected:
  queue::PrivateRedisOptions options() const {
    queue::PrivateRedisOptions options;
    options.directory = line_.path("redis");
    options.fsync = queue::AppendFsync::no;
    return options;
  }
  Ended enqueue(const std::string& url, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"enqueue", "--redis", url, "--prompt", "a kite", "--accept-timeout", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return line_.run(words);
  }
  Ended coordinator(const std::string& url, const std::string& data) {
    return line_.start_program("reelfarm-coordinator", {"--redis", url, "--data", data}).wait();
  }
  test::CommandLine line_;
};

TEST_F(ServerTest, AbsentIsExitCode3) {
  for (const std::string url : {"redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"}) {
    const Ended ended = enqueue(url);
    EXPECT_EQ(ended.code, 3) << ended.errors;
    EXPECT_THAT(ended.errors, HasSubstr(url.substr(url.find("//") + 2, 9)));
    EXPECT_EQ(coordinator(url, line_.path("data").string()).code, 3);
  }
  const Ended ended = line_.run({"status"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.errors, HasSubstr("reelfarm up"));
}

TEST_F(ServerTest, AWrongPasswordIsNamedAndNeverPrinted) {
  queue::PrivateRedisOptions with_password = options();
  with_password.password = "right-secret";
  const queue::PrivateRedis redis(with_password);
  const std::string bare = redis.url().substr(0, redis.url().find('?'));
  EXPECT_EQ(enqueue(redis.url()).code, 0);
  const Ended wrong = enqueue(bare + "?password=wrong-secret");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.errors, HasSubstr("password"));
  EXPECT_THAT(wrong.errors, testing::Not(HasSubstr("secret")));
  EXPECT_EQ(enqueue(bare).code, 2);
  EXPECT_EQ(coordinator(bare, line_.path("data").string()).code, 2);
}

TEST_F(ServerTest, EvictionIsRefused) {
  queue::PrivateRedisOptions evicting = options();
  evicting.maxmemory_policy = "allkeys-lru";
  const queue::PrivateRedis redis(evicting);
  const Ended ended = enqueue(redis.url());
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("allkeys-lru"));
  EXPECT_EQ(coordinator(redis.url(), line_.path("data").string()).code, 2);
}

TEST_F(ServerTest, AnOldServerIsRefusedWithItsVersionAndTheOneThatIsNeeded) {
  const test::FakeRedis old(test::FakeRedis::of_version("6.0.16"));
  for (const Ended& ended : {enqueue(old.url()), line_.run({"status", "--redis", old.url()}),
                             coordinator(old.url(), line_.path("data").string())}) {
    EXPECT_EQ(ended.code, 2) << ended.errors;
    EXPECT_THAT(ended.errors, HasSubstr("6.0.16"));
    EXPECT_THAT(ended.errors, HasSubstr("6.2"));
  }
}

TEST_F(ServerTest, WithoutPersistenceItIsRefusedUnlessAskedFor) {
  queue::PrivateRedisOptions forgetful = options();
  forgetful.append_only = false;
  const queue::PrivateRedis redis(forgetful);
  const Ended ended = enqueue(redis.url());
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("appendonly no"));
  EXPECT_EQ(enqueue(redis.url(), {"--allow-volatile"}).code, 0);
}

TEST_F(ServerTest, ABadUrlIsNamed) {
  const Ended ended = enqueue("http://127.0.0.1");
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("http"));
}

TEST_F(ServerTest, WithoutACoordinatorTheJobIsSubmittedAndItSaysSo) {
  const queue::PrivateRedis redis(options());
  const Ended ended = enqueue(redis.url(), {"--json"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  const auto document = nlohmann::json::parse(ended.output);
  EXPECT_EQ(document.at("state"), "submitted");
  EXPECT_THAT(ended.errors, HasSubstr("no coordinator"));
  const Ended status = line_.run({"status", "--redis", redis.url(), document.at("job"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(status.output).at("state"), "submitted");
}

TEST_F(ServerTest, AJobThatRedisLosesBeforeItIsAcceptedIsNotReportedAsSubmitted) {
  const queue::PrivateRedis redis(options());
  test::Running enqueue = line_.start({"enqueue", "--redis", redis.url(), "--prompt", "a kite", "--request-id",
                                       "of-the-evening", "--accept-timeout", "60", "--json"});
  queue::StoreOptions store_options;
  store_options.url = redis.url();
  queue::JobStore store(store_options);
  std::vector<queue::JobRecord> jobs;
  ASSERT_TRUE(test::eventually([&] { return !(jobs = store.list_jobs()).empty(); }));
  queue::detail::RedisConnection({.url = queue::RedisUrl::parse(redis.url())}).command({"FLUSHALL"});
  const Ended ended = enqueue.wait();
  EXPECT_EQ(ended.code, 3) << ended.errors;
  EXPECT_EQ(ended.output, "");
  EXPECT_THAT(ended.errors, HasSubstr("reelfarm status " + jobs.front().id));
  EXPECT_THAT(ended.errors, HasSubstr("its --request-id keeps it from being taken twice"));
}

TEST_F(ServerTest, TheCoordinatorRefusesADataFolderOfAnotherFarmOrAnUnwritableOne) {
  const queue::PrivateRedis redis(options());
  queue::StoreOptions store;
  store.url = redis.url();
  queue::JobStore(store).adopt_farm_id("this-farm");
  std::filesystem::create_directories(line_.path("data"));
  line_.write("data/farm.id", "another-farm\n");
  const Ended other = coordinator(redis.url(), line_.path("data").string());
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.errors, HasSubstr("belongs to farm another-farm"));
  // /proc takes no folders, from root neither.
  const Ended unwritable = coordinator(redis.url(), "/proc/reelfarm");
  EXPECT_EQ(unwritable.code, 2);
  EXPECT_THAT(unwritable.errors, HasSubstr("/proc/reelfarm"));
}

}  // namespace
}  // namespace reelfarm
