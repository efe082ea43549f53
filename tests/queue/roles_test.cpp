// What deploy/redis/make-users lets each role do, on a real redis-server: a whole job goes through the farm under them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "queue/notices.hpp"
#include "queue/server_facts.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using testing::HasSubstr;

class Roles : public testing::Test {
 protected:
  Roles() {
    const std::string socket = RedisUrl::parse(redis_.url()).socket_path;
    const std::string command = std::string(REELFARM_SOURCE_DIR) + "/deploy/redis/make-users " +
                                folder_.path().string() + "/roles unix://" + socket + " > " + folder_.path().string() +
                                "/out";
    EXPECT_EQ(std::system(command.c_str()), 0);
    detail::RedisConnection connection({.url = RedisUrl::parse(redis_.url())});
    std::ifstream file(folder_.path() / "roles" / "users.acl");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      detail::Arguments call = {"ACL", "SETUSER"};
      std::string word;
      words >> word;  // "user"
      while (words >> word) call.push_back(word);
      if (call[2] != "default") connection.command(call);
    }
  }

  StoreOptions options(const std::string& role) const {
    StoreOptions result;
    result.url = "file://" + (folder_.path() / "roles" / (role + ".url")).string();
    return result;
  }
  JobStore as(const std::string& role) const { return JobStore(options(role)); }

  /// Whether Redis refuses it for want of a right.
  template <typename Call>
  testing::AssertionResult refused(Call call) const {
    try {
      call();
    } catch (const AuthenticationError& error) {
      return testing::AssertionSuccess() << error.what();
    } catch (const ReplyError& error) {
      // Inside a script: "ERR ... script ... ACL failure in script".
      if (std::string(error.what()).find("ACL failure") != std::string::npos) return testing::AssertionSuccess();
      return testing::AssertionFailure() << error.what();
    }
    return testing::AssertionFailure() << "it was done";
  }

  TemporaryFolder folder_;
  PrivateRedis redis_{{.directory = folder_.path() / "redis", .fsync = AppendFsync::no}};
};

TEST_F(Roles, AJobGoesThroughTheFarmWithEachDoingItsPart) {
  JobStore coordinator = as("coordinator");
  JobStore worker = as("worker");
  JobStore submitter = as("submitter");
  coordinator.adopt_farm_id();
  const JobSpec spec = make_spec();
  const std::string job = submitter.submit(spec).job;
  ASSERT_EQ(coordinator.read_inbox().size(), 1U);
  ASSERT_TRUE(coordinator.accept(job, make_plan(job, spec, 1)));
  GroupRecord group;
  group.id = "g1";
  group.host = "h1";
  worker.register_group(group);
  worker.heartbeat_group("g1", GroupState::idle);
  const auto window = worker.claim(render_filter("g1"));
  ASSERT_TRUE(window);
  EXPECT_EQ(worker.tick(window->token, Progress{"step", 1, 4, 0.25}), ReplyCode::ok);
  EXPECT_EQ(worker.finish(window->token, FinishReport{"d1", Artifact{"w", "d1", 1, 17}, std::nullopt, "{}"}),
            ReplyCode::ok);
  ClaimFilter stitch;
  stitch.owner = "s1";
  stitch.kinds = {TaskKind::stitch};
  const auto last = worker.claim(stitch);
  ASSERT_TRUE(last);
  EXPECT_EQ(worker.finish(last->token, FinishReport{"d2", Artifact{"v", "d2", 1, 17}, std::nullopt, "{}"}),
            ReplyCode::ok);
  coordinator.reap();

  JobStore viewer = as("viewer");
  EXPECT_EQ(viewer.get_job(job)->state, JobState::done);
  EXPECT_EQ(viewer.list_jobs().size(), 1U);
  EXPECT_EQ(viewer.list_groups().size(), 1U);
  EXPECT_EQ(viewer.get_tasks(job).size(), 2U);
  EXPECT_GT(viewer.now(), ServerTime{});
  EXPECT_FALSE(EventReader(options("viewer"), "0").read(std::chrono::milliseconds(0)).empty());
  EXPECT_EQ(submitter.cancel(submitter.submit(make_spec()).job).code, ChangeCode::ok);
  EXPECT_TRUE(submitter.pause_farm("ann"));
  EXPECT_EQ(viewer.farm_pause()->by, "ann");
  EXPECT_TRUE(submitter.resume_farm("ann"));
  EXPECT_TRUE(NoticeStore(options("coordinator")).add("failed/job/x", ServerTime(std::chrono::seconds(1)), {}));
  EXPECT_TRUE(read_server_facts(options("submitter")).slowest_write_ms);
}

TEST_F(Roles, OneThatOnlyLooksLearnsOfTheServerWhatItMay) {
  const ServerFacts facts = read_server_facts(options("viewer"));
  EXPECT_TRUE(facts.append_only);
  EXPECT_FALSE(facts.version.empty());
  EXPECT_EQ(facts.fsync, "") << "it may not ask for settings";
  EXPECT_FALSE(facts.slowest_write_ms);
  StoreOptions as_default;
  as_default.url = redis_.url();
  const ServerFacts all = read_server_facts(as_default);
  EXPECT_EQ(all.fsync, "no");
  EXPECT_GT(all.slowest_write_ms.value(), 0);
}

TEST_F(Roles, NobodyDoesAnothersPart) {
  JobStore coordinator = as("coordinator");
  coordinator.adopt_farm_id();
  const std::string job = coordinator.submit(make_spec()).job;
  JobStore worker = as("worker");
  EXPECT_TRUE(refused([&] { worker.submit(make_spec()); }));
  EXPECT_TRUE(refused([&] { worker.accept(job, make_plan(job, make_spec(), 1)); }));
  EXPECT_TRUE(refused([&] { worker.reject(job, "no"); }));
  EXPECT_TRUE(refused([&] { worker.report_disk(DiskState{}); }));
  JobStore submitter = as("submitter");
  GroupRecord group;
  group.id = "g1";
  EXPECT_TRUE(refused([&] { submitter.register_group(group); }));
  BundleLimits bundle;
  bundle.name = "b";
  bundle.hash = "b0b0";
  EXPECT_TRUE(refused([&] { submitter.register_bundle(bundle); }));
  EXPECT_TRUE(refused([&] { submitter.report_disk(DiskState{}); }));
  JobStore viewer = as("viewer");
  EXPECT_TRUE(refused([&] { viewer.submit(make_spec()); }));
  EXPECT_TRUE(refused([&] { viewer.cancel(job); }));
  EXPECT_TRUE(refused([&] { viewer.pause_farm("x"); }));
  EXPECT_TRUE(refused([&] { NoticeStore(options("worker")).add("x", ServerTime{}, {}); }));
  EXPECT_TRUE(refused([&] { NoticeStore(options("submitter")).add("x", ServerTime{}, {}); }));
  EXPECT_TRUE(refused([&] { viewer.reap(); }));
  EXPECT_EQ(viewer.get_job(job)->state, JobState::submitted) << "something of it was done";
  for (const char* role : {"worker", "submitter", "viewer", "coordinator"}) {
    detail::RedisConnection raw({.url = RedisUrl::parse(options(role).url)});
    for (const detail::Arguments& command : std::vector<detail::Arguments>{{"FLUSHALL"},
                                                                           {"CONFIG", "GET", "requirepass"},
                                                                           {"KEYS", "*"},
                                                                           {"ACL", "LIST"},
                                                                           {"SHUTDOWN"},
                                                                           {"GET", "other"}}) {
      EXPECT_THROW(raw.command(command), AuthenticationError) << role << " " << command[0];
    }
  }
}

TEST_F(Roles, PasswordsAreInFilesOfTheirOwnOnly) {
  std::stringstream acl;
  acl << std::ifstream(folder_.path() / "roles" / "users.acl").rdbuf();
  for (const char* role : {"worker", "submitter", "viewer", "coordinator"}) {
    const RedisUrl url = RedisUrl::parse(options(role).url).resolved();
    EXPECT_EQ(url.user, role);
    EXPECT_EQ(url.password.size(), 48U);
    EXPECT_THAT(acl.str(), testing::Not(HasSubstr(url.password)));
    struct stat status {};
    ASSERT_EQ(::stat((folder_.path() / "roles" / (std::string(role) + ".url")).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
  }
}

}  // namespace
}  // namespace reelfarm::queue::test
