#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

TEST(Disk, NothingButStitchesIsLeasedWhileItIsFull) {
  TestFarm farm;
  farm.stop_clock_at(ServerTime(std::chrono::seconds(1'800'000'000)));
  JobStore store = farm.make_store();
  EXPECT_FALSE(store.disk_state().has_value());
  add_job(store, 2);
  const Lease first = must_claim(store, render_filter("g1"));
  store.report_disk({.full = true, .free = 10, .capacity = 1000, .high_water = 97.5});
  EXPECT_EQ(store.disk_state()->free, 10u);
  EXPECT_EQ(store.disk_state()->capacity, 1000u);
  EXPECT_EQ(store.disk_state()->high_water, 97.5);
  EXPECT_EQ(store.disk_state()->measured, store.now());
  FinishReport report = make_report("w0");
  report.tail = make_artifact("t0");
  EXPECT_EQ(store.finish(first.token, report), ReplyCode::ok) << "what runs goes on";
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_EQ(must_claim(store, stitch_filter()).task.spec.kind, TaskKind::stitch);
  store.report_disk({.full = false, .free = 100, .capacity = 1000, .high_water = 97.5});
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.window, 1);
}

TEST(FarmPause, NothingButStitchesIsLeasedAndWhatRunsIsTold) {
  TestFarm farm;
  farm.stop_clock_at(ServerTime(std::chrono::seconds(1'800'000'000)));
  JobStore store = farm.make_store();
  add_job(store, 3);
  FinishReport report = make_report("w0");
  report.tail = make_artifact("t0");
  EXPECT_EQ(store.finish(must_claim(store, render_filter("g1")).token, report), ReplyCode::ok);
  const Lease second = must_claim(store, render_filter("g1"));
  EXPECT_FALSE(store.resume_farm("ann"));
  EXPECT_TRUE(store.pause_farm("ann"));
  EXPECT_FALSE(store.pause_farm("bob"));
  EXPECT_EQ(store.farm_pause()->by, "ann");
  EXPECT_EQ(store.farm_pause()->since, store.now());
  EXPECT_EQ(store.tick(second.token, {"step", 1, 4, 0.25}), ReplyCode::paused);
  EXPECT_EQ(store.release(second.token, "paused"), ReplyCode::ok);
  EXPECT_EQ(store.get_task(second.token.task)->preemptions, 0) << "nobody took it away: it was asked for";
  EXPECT_FALSE(store.claim(render_filter("g1")).has_value());
  EXPECT_EQ(must_claim(store, stitch_filter()).task.spec.kind, TaskKind::stitch);
  EXPECT_TRUE(store.resume_farm("bob"));
  EXPECT_FALSE(store.farm_pause());
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.window, 1);
}

TEST(Disk, AJobReservesWhatItsOpenWindowsMayWrite) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  Plan plan = make_plan(job, make_spec(), 4);
  plan.bytes_needed = 1000;
  ASSERT_TRUE(store.accept(job, plan));
  EXPECT_EQ(store.reserved_bytes(), 1000u);
  const Lease first = must_claim(store, render_filter("g1"));
  store.tail(first.token, make_artifact("t0"));
  store.finish(first.token, make_report("w0"));
  EXPECT_EQ(store.reserved_bytes(), 750u);
  store.cancel(job);
  EXPECT_EQ(store.reserved_bytes(), 0u);
  store.retry(job);
  EXPECT_EQ(store.reserved_bytes(), 750u);
}

TEST(Disk, ATakeReservesForTheWindowsItRendersItself) {
  TestFarm farm;
  JobStore store = farm.make_store();
  JobSpec spec = make_spec();
  spec.from_window = 2;
  const std::string job = store.submit(spec).job;
  Plan plan = make_plan(job, spec, 4);
  plan.bytes_needed = 1000;
  plan.fingerprint = "fp-a";
  for (int window = 0; window < 3; ++window) {
    plan.finished.emplace(task_id(job, TaskKind::window, window), make_report("w"));
  }
  ASSERT_TRUE(store.accept(job, plan));
  EXPECT_EQ(store.reserved_bytes(), 500u) << "one of its two windows is done already";
}

TEST(Waiting, IsKeptWithTheInboxEntryUntilItIsAccepted) {
  TestFarm farm;
  JobStore store = farm.make_store();
  const std::string job = store.submit(make_spec()).job;
  EXPECT_EQ(store.get_job(job)->waiting, "");
  store.note_waiting(job, "no bundle yet");
  store.note_waiting(job, "no bundle yet");
  EXPECT_EQ(store.get_job(job)->waiting, "no bundle yet");
  EXPECT_EQ(store.list_jobs().at(0).waiting, "no bundle yet");
  int events = 0;
  EventReader reader(farm.options, "0");
  for (const Event& event : reader.read(std::chrono::milliseconds(100))) events += event.type == "waiting" ? 1 : 0;
  EXPECT_EQ(events, 1);
  ASSERT_TRUE(store.accept(job, make_plan(job, make_spec(), 1)));
  EXPECT_EQ(store.get_job(job)->waiting, "");
  store.note_waiting(job, "too late");
  EXPECT_EQ(store.get_job(job)->state, JobState::queued);
  EXPECT_TRUE(farm.raw({"KEYS", farm.keys().inbox_entry("*")}).empty());
}

}  // namespace
}  // namespace reelfarm::queue::test
