#include "cli/trace/timeline.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "posix/run_program.hpp"
#include "queue/event_scan.hpp"
#include "tests/queue/support.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using queue::test::must_claim;
using queue::test::render_filter;
using testing::ElementsAre;

/// What the Trace Event Format asks of the two kinds of events that are written ("X" and "M"), and what viewers need
/// to draw them: every row has a name, and the spans of a row lie one after the other.
void expect_valid(const json& timeline) {
  using Row = std::pair<int, int>;
  std::set<Row> named;
  std::map<Row, std::set<std::pair<std::int64_t, std::int64_t>>> spans;
  for (const json& event : timeline.at("traceEvents")) {
    const Row row{event.at("pid").get<int>(), event.at("tid").get<int>()};
    ASSERT_TRUE(event.at("name").is_string() && event.at("args").is_object()) << event;
    if (event.at("ph") == "M") {
      EXPECT_TRUE(event.at("name") == "process_name" || event.at("name") == "thread_name") << event;
      EXPECT_TRUE(event.at("args").at("name").is_string()) << event;
      named.insert(row);
      continue;
    }
    ASSERT_EQ(event.at("ph"), "X");
    ASSERT_TRUE(event.at("cat").is_string() && event.at("ts").is_number_integer() &&
                event.at("dur").is_number_integer());
    const std::int64_t begin = event.at("ts").get<std::int64_t>();
    EXPECT_GE(begin, 0) << event;
    EXPECT_GE(event.at("dur").get<std::int64_t>(), 0) << event;
    spans[row].insert({begin, begin + event.at("dur").get<std::int64_t>()});
  }
  for (const auto& [row, its_spans] : spans) {
    EXPECT_TRUE(named.contains(row)) << row.first << "/" << row.second;
    EXPECT_TRUE(named.contains({row.first, 0})) << "process " << row.first << " has no name";
    std::int64_t end = 0;
    for (const auto& [from, to] : its_spans) {
      EXPECT_GE(from, end) << "spans of row " << row.first << "/" << row.second << " overlap";
      end = std::max(end, to);
    }
  }
}

class TimelineTest : public testing::Test {
 protected:
  // Events carry the server's own time, so nothing here counts on how long a span is but on their order.
  json timeline() {
    TraceRecords records;
    records.job = store_.get_job(job_).value();
    records.tasks = store_.get_tasks(job_);
    queue::scan_events(store_.options(), records.job.submitted, [&](const queue::Event& event) {
      if (event.job == job_) records.events.push_back(event);
    });
    records.groups = store_.list_groups();
    records.now = store_.now();
    json made = timeline_of(records);
    expect_valid(made);
    return made;
  }
  /// Names of the spans of each row, in order, by "process/row".
  static std::map<std::string, std::vector<std::string>> rows(const json& timeline) {
    std::map<int, std::string> processes;
    std::map<std::pair<int, int>, std::string> threads;
    for (const json& event : timeline.at("traceEvents")) {
      if (event.at("ph") != "M") continue;
      const int process = event.at("pid");
      if (event.at("name") == "process_name") {
        processes[process] = event.at("args").at("name");
      } else {
        threads[{process, event.at("tid").get<int>()}] = event.at("args").at("name");
      }
    }
    std::map<std::string, std::vector<std::string>> rows;
    for (const json& event : timeline.at("traceEvents")) {
      if (event.at("ph") != "X") continue;
      const int process = event.at("pid");
      rows[processes.at(process) + "/" + threads.at({process, event.at("tid").get<int>()})].push_back(event.at("name"));
    }
    return rows;
  }

  queue::test::TestFarm farm_;
  queue::JobStore store_ = farm_.make_store();
  std::string job_ = queue::test::add_job(store_, 2);
};

TEST_F(TimelineTest, ShowsEachStepOfEachWindowWhereItWasMade) {
  queue::GroupRecord group = queue::test::group_of(render_filter("g1"));
  group.ranks = 4;
  group.host = "h1";
  store_.register_group(group);
  const queue::Lease first = must_claim(store_, render_filter("g1"));
  const auto tick = [&](const queue::FencingToken& token, const char* phase, int step) {
    store_.tick(token, {phase, step, 2, 0});
  };
  tick(first.token, "step", 0);
  tick(first.token, "step", 1);
  tick(first.token, "step", 2);
  tick(first.token, "decode", 2);
  store_.tail(first.token, queue::test::make_artifact("t0"));
  const queue::Lease second = must_claim(store_, render_filter("g1"));
  tick(second.token, "step", 0);
  tick(first.token, "write", 2);
  store_.finish(first.token, queue::test::make_report("w0"));
  store_.release(second.token, "drain");
  const queue::Lease again = must_claim(store_, render_filter("g2"));
  tick(again.token, "step", 1);
  const json timeline = this->timeline();
  const auto found = rows(timeline);
  EXPECT_THAT(found.at("g1 on h1, 4 ranks/denoise"),
              ElementsAre("window 0: encode", "window 0: step 1", "window 0: step 2", "window 0: waits for the decoder",
                          "window 1: encode", "window 1: step 1"));
  EXPECT_THAT(found.at("g1 on h1, 4 ranks/decode"), ElementsAre("window 0: decode", "window 0: write"));
  EXPECT_THAT(found.at("g2/denoise"), ElementsAre("window 1: encode", "window 1: step 2"));
  EXPECT_EQ(found.at("queue/job " + job_).back(), "running");
  std::set<std::string> ends;
  for (const json& event : timeline.at("traceEvents")) {
    if (event.contains("args") && event["args"].contains("ends")) ends.insert(event["args"]["ends"].get<std::string>());
  }
  EXPECT_EQ(ends, (std::set<std::string>{"released", "running"}));
  EXPECT_EQ(timeline.at("otherData").at("job"), job_);
}

// Perfetto itself, in a browser: every span is there, in its row, as long as it was written, and none within another.
TEST_F(TimelineTest, OpensInPerfetto) {
  const queue::Lease first = must_claim(store_, render_filter("g1"));
  store_.tick(first.token, {"step", 1, 2, 0});
  store_.tick(first.token, {"step", 2, 2, 0});
  store_.tail(first.token, queue::test::make_artifact("t0"));
  const queue::Lease second = must_claim(store_, render_filter("g1"));
  store_.tick(second.token, {"step", 1, 2, 0});
  store_.finish(first.token, queue::test::make_report("w0"));
  store_.release(second.token, "drain");
  must_claim(store_, render_filter("g2"));
  const test::TemporaryFolder folder;
  const std::string file = (folder / "trace.json").string();
  std::ofstream(file) << timeline();
  const posix::Ended ended = posix::run_program(
      {.words = {REELFARM_PYTHON, std::string(REELFARM_SOURCE_DIR) + "/tests/cli/open_in_perfetto.py", file}});
  if (ended.exit_code == 77) GTEST_SKIP() << ended.output;
  EXPECT_EQ(ended.exit_code, 0) << ended.output << ended.errors;
}

TEST_F(TimelineTest, AWindowThatIsLeasedEarlyBeginsWhenItsGroupHasDoneWithTheOneBefore) {
  TraceRecords records;
  records.job = store_.get_job(job_).value();
  records.tasks = store_.get_tasks(job_);
  const auto event = [&](const char* type, int window, int step, std::chrono::seconds at) {
    queue::Event happened;
    happened.type = type;
    happened.job = job_;
    happened.task = queue::task_id(job_, queue::TaskKind::window, window);
    happened.owner = "g1";
    happened.state = step > 0 ? "step" : "encode";
    happened.step = step;
    happened.steps = 4;
    happened.attempt = 1;
    happened.time = records.job.submitted + at;
    records.events.push_back(happened);
  };
  event("claimed", 0, 0, 0s);
  event("claimed", 1, 0, 2s);
  event("step", 0, 1, 10s);
  event("step", 0, 2, 20s);
  event("step", 1, 1, 30s);
  records.now = records.job.submitted + 40s;
  const json timeline = timeline_of(records);
  expect_valid(timeline);
  const json& all = timeline.at("traceEvents");
  const auto encode = std::ranges::find(all, "window 1: encode", [](const json& one) { return one.at("name"); });
  ASSERT_NE(encode, all.end());
  EXPECT_GE(encode->at("ts"), 10'000'000) << "window 0 was at its first step until then";
}

TEST_F(TimelineTest, OfAJobThatWaitsShowsWhatItWaitsFor) {
  farm_.advance(5s);
  const auto found = rows(timeline());
  EXPECT_THAT(found.at("queue/job " + job_), ElementsAre("submitted", "queued"));
  EXPECT_THAT(found.at("queue/window 0").back(), "queued");
  EXPECT_THAT(found.at("queue/window 1"), ElementsAre("waits for what it starts from"));
}

}  // namespace
}  // namespace reelfarm::cli
