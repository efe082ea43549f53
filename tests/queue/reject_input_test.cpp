// What an earlier task left is damaged or gone: it is done again, and what waits for it waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const ClaimFilter kGroup = render_filter("g1");
const ClaimFilter kStitcher = stitch_filter("s1");

class RejectInput : public testing::Test {
 protected:
  RejectInput() : store_((set(farm_.options), farm_.make_store())) {}

  static void set(StoreOptions& options) {
    options.retry.max_failures = 2;
    options.retry.backoff_base = milliseconds(1000);
    options.retry.input_settle = milliseconds(60'000);
  }

  FencingToken finish(const ClaimFilter& filter) {
    const FencingToken token = must_claim(store_, filter).token;
    FinishReport report = make_report(token.task);
    report.tail = make_artifact("tail-" + token.task);
    EXPECT_EQ(store_.finish(token, report), ReplyCode::ok);
    return token;
  }

  TaskRecord task(const std::string& id) { return store_.get_task(id).value(); }

  TestFarm farm_;
  JobStore store_;
};

TEST_F(RejectInput, ADamagedWindowIsRenderedAgainAndItsVideoWaitsUncounted) {
  const std::string job = add_job(store_, 3);
  for (int i = 0; i < 3; ++i) finish(kGroup);
  farm_.advance(milliseconds(60'000));
  const std::string damaged = task_id(job, TaskKind::window, 1);
  const FencingToken stitch = must_claim(store_, kStitcher).token;

  EXPECT_EQ(store_.reject_input(stitch, damaged, "sha-" + damaged, "frames.mkv has another sha256"), ReplyCode::ok);
  EXPECT_EQ(store_.reject_input(stitch, damaged, "sha-" + damaged, "sent again"), ReplyCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:done w1:ready w2:done stitch:ready");
  EXPECT_EQ(task(damaged).failures, 1);
  EXPECT_EQ(task(damaged).error, "frames.mkv has another sha256");
  EXPECT_FALSE(task(damaged).tail_published);
  EXPECT_EQ(task(stitch.task).failures, 0);
  EXPECT_EQ(task(stitch.task).crashes, 0);

  farm_.advance(milliseconds(1000));
  EXPECT_EQ(finish(kGroup).task, damaged);
  finish(kStitcher);
  EXPECT_EQ(store_.get_job(job)->state, JobState::done);
}

TEST_F(RejectInput, AWindowWaitsForTheTailItCouldNotRead) {
  const std::string job = add_job(store_, 3);
  const std::string damaged = finish(kGroup).task;
  farm_.advance(milliseconds(60'000));
  const Lease reader = must_claim(store_, kGroup);
  ASSERT_EQ(reader.inputs.at(0).task, damaged);
  EXPECT_EQ(store_.reject_input(reader.token, damaged, reader.inputs[0].artifact->sha256, "the tail is gone"),
            ReplyCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:ready w1:waiting w2:waiting stitch:waiting");
  farm_.advance(milliseconds(1000));
  EXPECT_EQ(finish(kGroup).task, damaged);
  EXPECT_EQ(must_claim(store_, kGroup).token.task, reader.token.task);
}

TEST_F(RejectInput, AFreshResultIsLookedAtOnceMore) {
  const std::string job = add_job(store_, 2);
  const std::string fresh = finish(kGroup).task;
  const FencingToken reader = must_claim(store_, kGroup).token;
  EXPECT_EQ(store_.reject_input(reader, fresh, "sha-" + fresh, "no such file"), ReplyCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:done w1:ready stitch:ready");
  EXPECT_EQ(task(fresh).failures, 0);
  EXPECT_FALSE(store_.claim(kGroup));
  farm_.advance(milliseconds(60'000));
  EXPECT_EQ(must_claim(store_, kGroup).token.task, reader.task);
}

TEST_F(RejectInput, AResultThatIsAnotherByNowStays) {
  const std::string job = add_job(store_, 2);
  const std::string input = finish(kGroup).task;
  farm_.advance(milliseconds(60'000));
  const FencingToken reader = must_claim(store_, kGroup).token;
  EXPECT_EQ(store_.reject_input(reader, input, "sha-of-what-was-before", "damaged"), ReplyCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:done w1:ready stitch:ready");
}

TEST_F(RejectInput, AWindowThatCannotBeKeptWholeFailsItsJob) {
  const std::string job = add_job(store_, 2);
  for (int round = 0; round < 2; ++round) {
    const std::string bad = finish(kGroup).task;
    farm_.advance(milliseconds(60'000));
    const FencingToken reader = must_claim(store_, kGroup).token;
    ASSERT_EQ(store_.reject_input(reader, bad, "sha-" + bad, "bad sector"), ReplyCode::ok);
    farm_.advance(milliseconds(60'000));
  }
  EXPECT_EQ(store_.get_job(job)->state, JobState::failed);
  EXPECT_EQ(store_.get_job(job)->error.message, "bad sector");
  EXPECT_EQ(task_states(store_, job), "w0:failed w1:cancelled stitch:cancelled");
}

TEST_F(RejectInput, ThePartialVideoOfAJobThatIsOverEndsBeforeTheDamage) {
  const std::string job = add_job(store_, 3);
  for (int i = 0; i < 2; ++i) finish(kGroup);
  store_.cancel(job);
  farm_.advance(milliseconds(60'000));
  const auto reject = [&](int window) {
    const std::string bad = task_id(job, TaskKind::window, window);
    return store_.reject_input(must_claim(store_, kStitcher).token, bad, "sha-" + bad, "damaged");
  };
  EXPECT_EQ(reject(1), ReplyCode::ok);
  EXPECT_EQ(task(task_id(job, TaskKind::stitch)).window_limit, 1);
  EXPECT_FALSE(store_.get_job(job)->closed);
  EXPECT_EQ(reject(0), ReplyCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:cancelled w1:cancelled w2:cancelled stitch:cancelled");
  EXPECT_TRUE(store_.get_job(job)->closed);

  // Retried, everything comes back.
  ASSERT_EQ(store_.retry(job).code, ChangeCode::ok);
  EXPECT_EQ(task_states(store_, job), "w0:ready w1:waiting w2:waiting stitch:waiting");
}

TEST_F(RejectInput, OnlyAnotherTaskOfTheJobCanBeGivenUp) {
  add_job(store_, 2);
  const std::string other = add_job(store_, 1);
  const FencingToken reader = must_claim(store_, kGroup).token;
  for (const std::string& input : {task_id(other, TaskKind::window, 0), reader.task, std::string("none")}) {
    try {
      store_.reject_input(reader, input, "", "damaged");
      ADD_FAILURE() << input;
    } catch (const TransitionError& error) {
      EXPECT_THAT(error.what(), HasSubstr("is not what " + reader.task + " starts from"));
    }
  }
  EXPECT_EQ(store_.renew(reader), ReplyCode::ok);
}

TEST_F(RejectInput, AStaleHolderGivesUpNothing) {
  const std::string job = add_job(store_, 2);
  const std::string input = finish(kGroup).task;
  farm_.advance(milliseconds(60'000));
  FencingToken reader = must_claim(store_, kGroup).token;
  reader.nonce = "forged";
  EXPECT_EQ(store_.reject_input(reader, input, "sha-" + input, "damaged"), ReplyCode::stale);
  EXPECT_EQ(task_states(store_, job), "w0:done w1:leased stitch:ready");
}

}  // namespace
}  // namespace reelfarm::queue::test
