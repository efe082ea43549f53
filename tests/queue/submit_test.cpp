#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/codec.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

TEST(Submit, StaysSubmittedUntilACoordinatorAccepts) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec spec = make_spec("ein Leuchtturm \xF0\x9F\x8C\x8A\n\"quoted\" \x01 %s %b");
  spec.tags = {"night", "a b"};
  const SubmitResult result = store.submit(spec);
  EXPECT_TRUE(result.created);
  EXPECT_TRUE(is_job_id(result.job));
  const JobRecord record = store.get_job(result.job).value();
  EXPECT_EQ(record.state, JobState::submitted);
  EXPECT_EQ(record.asked.prompt, spec.prompt);
  EXPECT_EQ(record.asked.tags, spec.tags);
  EXPECT_GT(record.submitted, ServerTime{});
  EXPECT_EQ(record.accepted, ServerTime{});

  ASSERT_EQ(store.read_inbox().size(), 1u);
  JobSpec resolved = store.read_inbox()[0].spec;
  resolved.steps = 4;
  EXPECT_TRUE(store.accept(result.job, make_plan(result.job, resolved, 3)));
  const JobRecord queued = store.get_job(result.job).value();
  EXPECT_EQ(queued.state, JobState::queued);
  EXPECT_EQ(queued.windows, 3);
  EXPECT_EQ(queued.spec.steps, 4);
  EXPECT_EQ(queued.asked.steps, std::nullopt);
  EXPECT_GT(queued.accepted, ServerTime{});
  EXPECT_TRUE(store.read_inbox().empty());
  EXPECT_EQ(task_states(store, result.job), "w0:ready w1:waiting w2:waiting stitch:waiting");
}

TEST(Submit, IsIdempotentByRequestId) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec spec = make_spec();
  spec.request_id = "night-7";
  const SubmitResult first = store.submit(spec);
  const SubmitResult again = store.submit(spec);
  EXPECT_EQ(again.job, first.job);
  EXPECT_FALSE(again.created);
  EXPECT_EQ(store.read_inbox().size(), 1u);
  store.accept(first.job, make_plan(first.job, spec, 1));
  EXPECT_EQ(store.submit(spec).job, first.job);
  EXPECT_TRUE(store.read_inbox().empty());
}

TEST(Submit, BatchKeepsOrderAndKnownRequests) {
  TestFarm farm;
  JobStore store = farm.make_store();
  std::vector<JobSpec> specs;
  for (int i = 0; i < 50; ++i) {
    specs.push_back(make_spec("prompt " + std::to_string(i)));
    specs.back().request_id = "batch/" + std::to_string(i % 40);  // the last ten repeat the first
  }
  const std::vector<SubmitResult> results = store.submit_batch(specs);
  ASSERT_EQ(results.size(), 50u);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(results[static_cast<std::size_t>(i)].created, i < 40);
    EXPECT_EQ(results[static_cast<std::size_t>(i)].job, results[static_cast<std::size_t>(i % 40)].job);
  }
  const std::vector<InboxEntry> inbox = store.read_inbox();
  ASSERT_EQ(inbox.size(), 40u);
  for (std::size_t i = 0; i < inbox.size(); ++i) EXPECT_EQ(inbox[i].job, results[i].job);
}

TEST(Submit, RefusesAnAbsurdRequestBeforeAnythingIsWritten) {
  TestFarm farm;
  JobStore store = farm.make_store();
  EXPECT_THROW(store.submit_batch({make_spec(), make_spec("x", 101)}), std::invalid_argument);
  JobSpec latin = make_spec("caf\xE9");
  EXPECT_THROW(store.submit(latin), CodecError);
  EXPECT_TRUE(store.read_inbox().empty());
}

TEST(Reject, SaysWhyAndFreesTheRequestId) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec spec = make_spec();
  spec.request_id = "again";
  const std::string job = store.submit(spec).job;
  EXPECT_TRUE(store.reject(job, "size 7x7 is too small"));
  EXPECT_FALSE(store.reject(job, "twice"));
  EXPECT_FALSE(store.accept(job, make_plan(job, spec, 1)));
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::failed);
  EXPECT_EQ(record.error.error_class, "rejected");
  EXPECT_EQ(record.error.message, "size 7x7 is too small");
  const SubmitResult second = store.submit(spec);
  EXPECT_TRUE(second.created);
  EXPECT_NE(second.job, job);
}

TEST(Accept, IsIdempotentAndRefusesUnknownJobs) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const JobSpec spec = make_spec();
  const std::string job = store.submit(spec).job;
  EXPECT_TRUE(store.accept(job, make_plan(job, spec, 2)));
  const Lease lease = must_claim(store, render_filter("g1"));
  EXPECT_TRUE(store.accept(job, make_plan(job, spec, 2)));
  EXPECT_EQ(store.renew(lease.token), ReplyCode::ok) << "accepting again must not touch running tasks";
  const std::string unknown = make_job_id();
  EXPECT_FALSE(store.accept(unknown, make_plan(unknown, spec, 1)));
}

TEST(Accept, RefusesABrokenPlan) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const JobSpec spec = make_spec();
  const std::string job = store.submit(spec).job;
  const auto broken = [&](auto change) {
    Plan plan = make_plan(job, spec, 2);
    change(plan);
    EXPECT_THROW(store.accept(job, plan), std::invalid_argument);
  };
  broken([](Plan& plan) { plan.tasks.pop_back(); });                                             // no stitch
  broken([](Plan& plan) { plan.tasks.push_back(plan.tasks.back()); });                           // twice
  broken([](Plan& plan) { plan.tasks[0].id = "other.w0000"; });                                  // foreign id
  broken([](Plan& plan) { plan.tasks[1].depends[0].task = "nowhere"; });                         // unknown dependency
  broken([](Plan& plan) { plan.tasks[0].depends = {{plan.tasks[1].id, DependencyOn::done}}; });  // cycle
  broken([](Plan& plan) { plan.tasks[0].bundle_hash = ""; });
  EXPECT_EQ(store.get_job(job)->state, JobState::submitted);
}

Plan partly_finished(const std::string& job, int windows) {
  Plan plan = make_plan(job, make_spec(), 3);
  plan.fingerprint = "fp-a";
  for (int window = 0; window < windows; ++window) {
    FinishReport report = make_report("w" + std::to_string(window));
    report.tail = make_artifact("t" + std::to_string(window));
    report.metrics = "{\"seconds\":3}";
    plan.finished.emplace(task_id(job, TaskKind::window, window), report);
  }
  return plan;
}

TEST(Accept, GoesOnFromWhatIsFinished) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  ASSERT_TRUE(store.accept(job, partly_finished(job, 2)));
  EXPECT_EQ(task_states(store, job), "w0:done w1:done w2:ready stitch:ready");
  EXPECT_EQ(store.get_job(job)->state, JobState::queued);
  const TaskRecord first = store.get_task(task_id(job, TaskKind::window, 0)).value();
  EXPECT_EQ(first.artifact.path, "artifacts/w0");
  EXPECT_EQ(first.metrics, "{\"seconds\":3}");
  EXPECT_EQ(first.attempt, 0);
  EXPECT_FALSE(store.claim(render_filter("g1", "fp-b")).has_value()) << "it has the fingerprint of what is done";
  const Lease third = must_claim(store, render_filter("g2", "fp-a"));
  EXPECT_EQ(third.inputs[0].tail->path, "artifacts/t1");
  EXPECT_EQ(store.finish(third.token, make_report("w2")), ReplyCode::ok);
  EXPECT_EQ(store.finish(must_claim(store, stitch_filter()).token, make_report("video")), ReplyCode::ok);
  EXPECT_EQ(store.get_job(job)->state, JobState::done);
}

TEST(Accept, OfAWholeJobMakesItDoneAndLetsGoWhatWaitedForIt) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  JobSpec after = make_spec();
  after.after = job;
  const std::string follower = add_job(store, 1, false, after);
  EXPECT_EQ(store.get_job(follower)->state, JobState::held);
  Plan plan = partly_finished(job, 3);
  plan.finished.emplace(task_id(job, TaskKind::stitch), make_report("video"));
  ASSERT_TRUE(store.accept(job, plan));
  const JobRecord record = store.get_job(job).value();
  EXPECT_EQ(record.state, JobState::done);
  EXPECT_TRUE(record.closed);
  EXPECT_EQ(record.output, "artifacts/video");
  EXPECT_EQ(store.get_job(follower)->state, JobState::queued);
  EXPECT_FALSE(store.claim(stitch_filter()).has_value());
}

TEST(Accept, RefusesAPlanThatSaysWrongThingsOfWhatIsFinished) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  const auto broken = [&](auto change) {
    Plan plan = partly_finished(job, 2);
    change(plan);
    EXPECT_THROW(store.accept(job, plan), std::invalid_argument);
  };
  broken([&](Plan& plan) { plan.finished.emplace("elsewhere.w0000", make_report("x")); });
  broken([&](Plan& plan) { plan.finished.erase(task_id(job, TaskKind::window, 0)); });  // w1 without w0
  broken([&](Plan& plan) { plan.finished.emplace(task_id(job, TaskKind::stitch), make_report("video")); });
  broken([&](Plan& plan) { plan.finished.begin()->second.digest = ""; });
  broken([&](Plan& plan) { plan.finished.begin()->second.tail->sha256 = ""; });
  broken([&](Plan& plan) { plan.fingerprint = ""; });
  EXPECT_EQ(store.get_job(job)->state, JobState::submitted);
}

TEST(Inbox, UnreadableEntriesGoToTheDeadLetters) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string good = store.submit(make_spec()).job;
  const std::string garbled = store.submit(make_spec()).job;
  const std::string newer = store.submit(make_spec()).job;
  const std::string missing = store.submit(make_spec()).job;
  const std::string wrong_type = store.submit(make_spec()).job;
  farm.raw({"HSET", farm.keys().inbox_entry(garbled), "asked", "{\"schema\":1,"});
  farm.raw({"HSET", farm.keys().inbox_entry(newer), "schema", "99"});
  farm.raw({"DEL", farm.keys().inbox_entry(missing)});
  farm.raw({"DEL", farm.keys().inbox_entry(wrong_type)});
  farm.raw({"LPUSH", farm.keys().inbox_entry(wrong_type), "x"});
  const std::vector<InboxEntry> entries = store.read_inbox();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].job, good);
  std::vector<std::string> subjects;
  for (const DeadLetter& letter : store.dead_letters()) {
    subjects.push_back(letter.subject);
    EXPECT_EQ(letter.kind, "inbox");
    EXPECT_FALSE(letter.reason.empty());
  }
  EXPECT_THAT(subjects, testing::UnorderedElementsAre(garbled, newer, missing, wrong_type));
  EXPECT_EQ(store.get_job(garbled)->error.error_class, "rejected");
  EXPECT_EQ(store.read_inbox().size(), 1u);
}

TEST(Listing, GivesNewestFirstAndFilters) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec tagged = make_spec();
  tagged.project = "film";
  const std::string first = add_job(store, 1, false, tagged);
  const std::string second = add_job(store, 1);
  const std::string third = store.submit(tagged).job;
  std::vector<std::string> ids;
  for (const JobRecord& job : store.list_jobs()) ids.push_back(job.id);
  EXPECT_EQ(ids, (std::vector<std::string>{third, second, first}));
  EXPECT_EQ(store.list_jobs({.states = {JobState::submitted}}).size(), 1u);
  EXPECT_EQ(store.list_jobs({.project = "film"}).size(), 2u);
  EXPECT_EQ(store.list_jobs({.limit = 1})[0].id, third);
  EXPECT_FALSE(store.get_job(make_job_id()).has_value());
}

// More than one round trip reads at once, in both places where jobs are.
TEST(Listing, GivesEachOfManyJobsOnceInOrder) {
  constexpr int kJobs = 450;
  TestFarm farm;
  JobStore store = farm.make_store();
  std::vector<std::string> ids;
  for (const SubmitResult& result : store.submit_batch(std::vector<JobSpec>(kJobs, make_spec())))
    ids.push_back(result.job);
  for (std::size_t i = 0; i < ids.size(); i += 3) ASSERT_TRUE(store.accept(ids[i], make_plan(ids[i], make_spec(), 1)));
  const auto listed = [&](const JobQuery& query) {
    std::vector<std::string> found;
    for (const JobRecord& job : store.list_jobs(query)) found.insert(found.begin(), job.id);
    return found;
  };
  EXPECT_EQ(listed({}), ids);
  EXPECT_EQ(listed({.limit = 250}), std::vector<std::string>(ids.end() - 250, ids.end()));
  std::vector<std::string> accepted;
  for (std::size_t i = 0; i < ids.size(); i += 3) accepted.push_back(ids[i]);
  EXPECT_EQ(listed({.states = {JobState::queued}}), accepted);
}

TEST(After, HoldsAJobUntilAnotherIsDone) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  JobSpec spec = make_spec();
  spec.after = first;
  const std::string second = add_job(store, 1, false, spec);
  EXPECT_EQ(store.get_job(second)->state, JobState::held);
  const Lease window = must_claim(store, render_filter("g1"));
  EXPECT_EQ(window.task.spec.job, first);
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_EQ(store.finish(window.token, make_report("w")), ReplyCode::ok);
  EXPECT_EQ(store.get_job(second)->state, JobState::held);
  EXPECT_EQ(store.finish(must_claim(store, stitch_filter()).token, make_report("video")), ReplyCode::ok);
  EXPECT_EQ(store.get_job(second)->state, JobState::queued);
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, second);
}

TEST(After, StaysHeldWithTheReasonWhenTheOtherFails) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string first = add_job(store, 1);
  JobSpec spec = make_spec();
  spec.after = first;
  const std::string second = add_job(store, 1, false, spec);
  store.fail(must_claim(store, render_filter("g1")).token, FailureClass::data, "bad prompt");
  EXPECT_EQ(store.get_job(second)->state, JobState::held);
  EXPECT_EQ(store.get_job(second)->hold, "waits for " + first + ", which is failed");
  EXPECT_EQ(store.resume(second).code, ChangeCode::ok);
  EXPECT_EQ(store.get_job(second)->state, JobState::queued);
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, second);
}

}  // namespace
}  // namespace reelfarm::queue::test
