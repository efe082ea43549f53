#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using Damage = std::function<void(TestFarm&, const std::string& job, const std::string& task)>;
struct Case {
  const char* name;
  Damage damage;
  const char* reason;  ///< part of the dead letter
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class CorruptRecord : public testing::TestWithParam<Case> {};

TEST_P(CorruptRecord, GoesToTheDeadLettersAndTheQueueGoesOn) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string bad = add_job(store, 2, false, make_spec("bad", 50));
  const std::string good = add_job(store, 2);
  const std::string task = task_id(bad, TaskKind::window, 0);
  GetParam().damage(farm, bad, task);
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, good);
  const std::vector<DeadLetter> letters = store.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].subject, task);
  EXPECT_THAT(letters[0].reason, testing::HasSubstr(GetParam().reason));
  if (const auto job = store.get_job(bad)) {
    EXPECT_EQ(job->state, JobState::failed);
    EXPECT_EQ(job->error.error_class, "corrupt");
    EXPECT_TRUE(job->closed);
  }
  EXPECT_NE(store.retry(bad).code, ChangeCode::ok) << "a lost record cannot be retried";
  EXPECT_EQ(store.get_tasks(bad).size(), 3u) << "listings show what is left";
}

INSTANTIATE_TEST_SUITE_P(Damages, CorruptRecord,
                         testing::Values(Case{"MissingTask",
                                              [](TestFarm& farm, auto&, auto& task) {
                                                farm.raw({"DEL", farm.keys().task(task)});
                                              },
                                              "task record is missing"},
                                         Case{"NewerSchema",
                                              [](TestFarm& farm, auto&, auto& task) {
                                                farm.raw({"HSET", farm.keys().task(task), "schema", "2"});
                                              },
                                              "schema \"2\", known is 1"},
                                         Case{"NoKind",
                                              [](TestFarm& farm, auto&, auto& task) {
                                                farm.raw({"HDEL", farm.keys().task(task), "kind"});
                                              },
                                              "lacks job, kind or state"},
                                         Case{"PriorityIsNoNumber",
                                              [](TestFarm& farm, auto&, auto& task) {
                                                farm.raw({"HSET", farm.keys().task(task), "priority", "high"});
                                              },
                                              "no number"},
                                         Case{"NotAHash",
                                              [](TestFarm& farm, auto&, auto& task) {
                                                farm.raw({"SET", farm.keys().task(task), "x"});
                                              },
                                              "schema \"none\""},
                                         Case{"MissingJob",
                                              [](TestFarm& farm, auto& job, auto&) {
                                                farm.raw({"DEL", farm.keys().job(job)});
                                              },
                                              "job record is missing"}),
                         [](const testing::TestParamInfo<Case>& entry) { return std::string(entry.param.name); });

TEST(CorruptPayload, IsFoundByTheClaimerAndFailsTheJob) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string text = add_job(store, 1);
  const std::string schema = add_job(store, 1);
  const std::string swapped = add_job(store, 1);
  const std::string good = add_job(store, 1);
  farm.raw({"HSET", farm.keys().task(task_id(text, TaskKind::window, 0)), "spec", "{\"schema\":1,\x01"});
  const std::string other = farm.raw({"HGET", farm.keys().task(task_id(good, TaskKind::window, 0)), "spec"})[0];
  std::string newer = other;
  newer.replace(newer.find("\"schema\":1"), 10, "\"schema\":7");
  farm.raw({"HSET", farm.keys().task(task_id(schema, TaskKind::window, 0)), "spec", newer});
  farm.raw({"HSET", farm.keys().task(task_id(swapped, TaskKind::window, 0)), "spec", other});
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, good);
  for (const std::string& job : {text, schema, swapped}) {
    EXPECT_EQ(store.get_job(job)->state, JobState::failed);
    EXPECT_EQ(store.get_job(job)->error.error_class, "corrupt");
    EXPECT_EQ(farm.raw({"HGET", farm.keys().task(task_id(job, TaskKind::window, 0)), "state"})[0], "corrupt");
  }
  EXPECT_EQ(store.dead_letters().size(), 3u);
  EXPECT_EQ(store.leases().size(), 1u);
}

}  // namespace
}  // namespace reelfarm::queue::test
