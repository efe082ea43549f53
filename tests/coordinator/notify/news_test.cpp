#include "coordinator/notify/news.hpp"

#include <gmock/gmock.h>

namespace reelfarm::notify {
namespace {

using queue::JobState;
using queue::ServerTime;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

ServerTime at(int minute) {
  return ServerTime(minutes(28'000'000 + minute));
}

queue::JobRecord job(const std::string& id, JobState state, int finished = 0) {
  queue::JobRecord record;
  record.id = id;
  record.state = state;
  record.spec.batch = "b";
  record.spec.project = "film";
  record.accepted = at(0);
  if (state != JobState::queued && state != JobState::submitted) record.started = at(1);
  if (queue::is_terminal(state)) record.finished = at(finished);
  if (state == JobState::failed) record.error.message = "no room";
  return record;
}

queue::Event event(const std::string& type, const std::string& id, const std::string& task, int minute) {
  queue::Event event;
  event.type = type;
  event.job = id;
  event.task = task;
  event.time = at(minute);
  return event;
}

class NewsTest : public testing::Test {
 protected:
  std::vector<std::string> texts(int minute, bool anybody_works = true, bool paused = false) const {
    std::vector<std::string> texts;
    for (const News& one : farm_.news({at(minute), anybody_works, paused}, {minutes(30), minutes(15)})) {
      texts.push_back(one.subject() + " @" + std::to_string((one.since - at(0)) / minutes(1)) + ": " + one.text);
    }
    return texts;
  }
  FarmNews farm_{at(0)};
};

TEST_F(NewsTest, ABatchAndAProjectHaveFinishedWhenNoneOfTheirJobsGoesOn) {
  farm_.set(job("j1", JobState::done, 5));
  farm_.set(job("j2", JobState::running));
  EXPECT_THAT(texts(6), IsEmpty());
  farm_.set(job("j2", JobState::cancelled, 7));
  EXPECT_THAT(texts(8), ElementsAre("finished/batch/b @7: batch b has finished: 1 done, 1 cancelled",
                                    "finished/project/film @7: project film has finished: 1 done, 1 cancelled"));
  queue::JobRecord more = job("j3", JobState::queued);
  more.spec.batch = "another";
  farm_.set(more);
  EXPECT_THAT(texts(9), ElementsAre("finished/batch/b @7: batch b has finished: 1 done, 1 cancelled"))
      << "the project goes on";
  farm_.forget("j3");
  EXPECT_EQ(texts(9).size(), 2U);
  EXPECT_THAT(texts(7 + 7 * 24 * 60), IsEmpty()) << "that was a week ago";
}

TEST_F(NewsTest, AFailedJobIsNewsOnceForEachTimeItFails) {
  queue::JobRecord failed = job("j1", JobState::failed, 5);
  failed.spec.batch.clear();
  failed.spec.project.clear();
  failed.spec.name = "kite";
  farm_.set(failed);
  EXPECT_THAT(texts(6), ElementsAre("failed/job/j1 @5: job j1 (kite) has failed: no room"));
  failed.finished = at(9);
  farm_.set(failed);
  EXPECT_THAT(texts(9), ElementsAre("failed/job/j1 @9: job j1 (kite) has failed: no room"));
}

TEST_F(NewsTest, WhatEndedBeforeAnybodyWantedToKnowIsNoNews) {
  FarmNews later(at(10));
  later.set(job("j1", JobState::failed, 5));
  EXPECT_THAT(later.news({at(11), true, false}, {}), IsEmpty());
}

TEST_F(NewsTest, AProjectIsStalledWhenNoStepComesForLong) {
  farm_.set(job("j1", JobState::queued));
  farm_.see(event("claimed", "j1", "j1.w0000", 2));
  farm_.see(event("step", "j1", "j1.w0000", 10));
  EXPECT_THAT(texts(39), IsEmpty());
  const std::string stalled = "stalled/project/film @10: project film: nothing has advanced for 31 minutes";
  EXPECT_THAT(texts(41), ElementsAre(stalled));
  farm_.see(event("claimed", "j1", "j1.w0000", 42));
  farm_.see(event("retry", "j1", "j1.w0000", 43));
  EXPECT_THAT(texts(44), ElementsAre("stalled/project/film @10: project film: nothing has advanced for 34 minutes"))
      << "a crash is no advance, and nothing new to tell";
  EXPECT_THAT(texts(44, true, /*paused=*/true), IsEmpty());
  farm_.see(event("farm", "", "", 50));
  EXPECT_THAT(texts(60), IsEmpty()) << "it went on after a pause";
  farm_.see(event("tail", "j1", "j1.w0000", 60));
  EXPECT_THAT(texts(89), IsEmpty());
  farm_.set(job("j2", JobState::done, 80));
  EXPECT_THAT(texts(100), IsEmpty()) << "another job of the project did advance";
  EXPECT_THAT(texts(110), ElementsAre("stalled/project/film @80: project film: nothing has advanced for 30 minutes"));
  farm_.set(job("j1", JobState::paused));
  EXPECT_THAT(texts(200), IsEmpty());
}

TEST_F(NewsTest, TheFarmIsIdleWhenJobsWaitAndNobodyWorks) {
  EXPECT_THAT(texts(100, false), IsEmpty()) << "nothing waits";
  farm_.set(job("j1", JobState::queued));
  EXPECT_THAT(texts(14, false), IsEmpty());
  EXPECT_THAT(texts(16, false), ElementsAre("idle/farm/ @0: nobody has worked for 16 minutes, and 1 job waits"));
  queue::JobRecord second = job("j2", JobState::queued);
  second.accepted = at(20);
  farm_.set(second);
  EXPECT_THAT(texts(21, false), ElementsAre("idle/farm/ @0: nobody has worked for 21 minutes, and 2 jobs wait"))
      << "what comes in does not make it new";
  EXPECT_THAT(texts(21, true), IsEmpty());
  farm_.see(event("released", "j1", "j1.w0000", 22));
  EXPECT_THAT(texts(30, false), IsEmpty());
  farm_.see(event("resumed", "j2", "", 90));
  farm_.set(job("j1", JobState::held));
  EXPECT_THAT(texts(100, false), IsEmpty()) << "what goes on after a pause waits from then on";
  farm_.set(job("j2", JobState::paused));
  EXPECT_THAT(texts(100, false), IsEmpty());
}

}  // namespace
}  // namespace reelfarm::notify
