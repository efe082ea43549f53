#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using testing::ElementsAre;

/// Submits and accepts a new take of `parent`.
std::string add_take(JobStore& store, const std::string& parent) {
  JobSpec spec = make_spec();
  spec.parent = parent;
  const std::string job = store.submit(spec).job;
  const Take take = store.reserve_take(job, parent);
  spec.family = take.family;
  spec.take = take.number;
  EXPECT_TRUE(store.accept(job, make_plan(job, spec, 1)));
  return job;
}

void finish_job(JobStore& store) {
  ASSERT_EQ(store.finish(must_claim(store, render_filter("g1")).token, make_report("w")), ReplyCode::ok);
  ASSERT_EQ(store.finish(must_claim(store, stitch_filter()).token, make_report("video")), ReplyCode::ok);
}

std::vector<std::string> ids_of(const std::vector<JobRecord>& jobs) {
  std::vector<std::string> ids;
  for (const JobRecord& job : jobs) ids.push_back(job.id);
  return ids;
}

TEST(Takes, CountUpInAFamilyWhateverTakeTheyComeFrom) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  EXPECT_THAT(ids_of(store.takes(first)), ElementsAre(first));
  const std::string second = add_take(store, first);
  const std::string third = add_take(store, second);
  const std::string fourth = add_take(store, first);
  for (const std::string& job : {first, second, third, fourth}) {
    EXPECT_THAT(ids_of(store.takes(job)), ElementsAre(first, second, third, fourth));
  }
  EXPECT_EQ(store.get_job(third)->spec.take, 3);
  EXPECT_EQ(store.get_job(third)->spec.family, first);
  EXPECT_EQ(store.get_job(third)->spec.parent, second);
  EXPECT_TRUE(store.takes(make_job_id()).empty());
}

TEST(Takes, ANumberIsReservedOnceForAJob) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  const std::string one = make_job_id();
  const std::string other = make_job_id();
  EXPECT_EQ(store.reserve_take(one, first).number, 2);
  EXPECT_EQ(store.reserve_take(other, first).number, 3);
  EXPECT_EQ(store.reserve_take(one, first).number, 2);
  EXPECT_THAT(ids_of(store.takes(first)), ElementsAre(first)) << "neither was accepted";
}

TEST(Takes, TheNewestThatIsDoneIsUsedUntilOneIsChosen) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  EXPECT_EQ(store.used_take(first), 0);
  EXPECT_EQ(store.use_take(first, 1).code, ChangeCode::refused);
  finish_job(store);
  EXPECT_EQ(store.used_take(first), 1);
  const std::string second = add_take(store, first);
  EXPECT_EQ(store.used_take(second), 1);
  EXPECT_EQ(store.use_take(first, 2).text, "take 2 (" + second + ") is queued");
  finish_job(store);
  EXPECT_EQ(store.used_take(first), 2);
  EXPECT_EQ(store.use_take(second, 1).code, ChangeCode::ok);
  EXPECT_EQ(store.use_take(first, 1).code, ChangeCode::unchanged);
  EXPECT_EQ(store.used_take(first), 1);
  EXPECT_EQ(store.used_take(second), 1);
  EXPECT_EQ(store.use_take(first, 3).text, "there is no take 3");
  EXPECT_EQ(store.use_take(make_job_id(), 1).code, ChangeCode::not_found);
}

TEST(Takes, AForgottenOneIsLeftOutAndNotUsed) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  finish_job(store);
  const std::string second = add_take(store, first);
  finish_job(store);
  const std::string third = add_take(store, first);
  EXPECT_EQ(store.use_take(first, 1).code, ChangeCode::ok);
  EXPECT_EQ(store.forget(first).code, ChangeCode::ok);
  EXPECT_THAT(ids_of(store.takes(third)), ElementsAre(second, third));
  EXPECT_EQ(store.used_take(third), 2);
  EXPECT_EQ(store.cancel(third).code, ChangeCode::ok);
  EXPECT_EQ(store.forget(third).code, ChangeCode::ok);
  EXPECT_EQ(store.forget(second).code, ChangeCode::ok);
  EXPECT_THAT(farm.raw({"KEYS", farm.keys().takes("*")}), ElementsAre());
  EXPECT_THAT(farm.raw({"KEYS", farm.keys().used_take("*")}), ElementsAre());
}

}  // namespace
}  // namespace reelfarm::queue::test
