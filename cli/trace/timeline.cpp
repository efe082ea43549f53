#include "cli/trace/timeline.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

namespace reelfarm::cli {
namespace {

using nlohmann::json;
using queue::Event;
using queue::ServerTime;

constexpr int kQueueProcess = 1;
constexpr int kJobRow = 1;
enum Row { kDenoise = 1, kDecode = 2, kStitch = 3 };

const char* name_of(Row row) {
  return row == kDenoise ? "denoise" : row == kDecode ? "decode" : "stitch";
}

bool ends_lease(const Event& event) {
  return event.type == "done" || event.type == "retry" || event.type == "released" || event.type == "failed" ||
         event.type == "poison" || event.type == "cancelled" || event.type == "input_lost" || event.type == "corrupt";
}

/// "window 3", "image", "stitch".
std::string task_name(const queue::TaskRecord& task) {
  if (task.spec.kind != queue::TaskKind::window) return std::string(to_string(task.spec.kind));
  return "window " + std::to_string(task.spec.window);
}

class Timeline {
 public:
  explicit Timeline(const TraceRecords& records) : records_(records), begin_(records.job.submitted) {}

  json make() {
    name_row(kQueueProcess, 0, "process_name", "queue");
    name_row(kQueueProcess, kJobRow, "thread_name", "job " + records_.job.id);
    add_job();
    int row = kJobRow;
    for (const queue::TaskRecord& task : records_.tasks) add_task(task, ++row);
    untangle();
    return {{"traceEvents", std::move(events_)},
            {"displayTimeUnit", "ms"},
            {"otherData",
             {{"job", records_.job.id},
              {"name", records_.job.spec.name},
              {"state", to_string(records_.job.state)},
              {"submitted_ms", begin_.time_since_epoch().count()}}}};
  }

 private:
  std::int64_t microseconds(ServerTime time) const {
    return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(time - begin_).count());
  }

  void name_row(int process, int row, const char* what, const std::string& name) {
    events_.push_back({{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", row}, {"args", {{"name", name}}}});
  }

  void add_span(int process, int row, const std::string& name, const char* category, ServerTime from, ServerTime to,
                json more = json::object()) {
    events_.push_back({{"ph", "X"},
                       {"name", name},
                       {"cat", category},
                       {"pid", process},
                       {"tid", row},
                       {"ts", microseconds(from)},
                       {"dur", microseconds(to) - microseconds(from)},
                       {"args", std::move(more)}});
  }

  void add_job() {
    const queue::JobRecord& job = records_.job;
    const bool over = queue::is_terminal(job.state);
    const ServerTime end = over ? job.finished : records_.now;
    const ServerTime accepted = job.accepted == ServerTime{} ? end : job.accepted;
    add_span(kQueueProcess, kJobRow, "submitted", "queue", job.submitted, accepted);
    if (job.accepted == ServerTime{}) return;
    const ServerTime started = job.started == ServerTime{} ? end : job.started;
    add_span(kQueueProcess, kJobRow, "queued", "queue", accepted, started);
    if (job.started == ServerTime{}) return;
    add_span(kQueueProcess, kJobRow, over ? "running, then " + std::string(to_string(job.state)) : "running", "job",
             started, end);
  }

  void add_task(const queue::TaskRecord& task, int row) {
    name_row(kQueueProcess, row, "thread_name", task_name(task));
    waits_ = {"waits for what it starts from", records_.job.accepted};
    bool leased = false;
    const Event* last = nullptr;
    for (const Event& event : records_.events) {
      if (event.task != task.spec.id) continue;
      if (event.type == "ready") {
        end_wait(row, event.time);
        waits_ = {"queued", event.time};
      } else if (event.type == "claimed") {
        end_wait(row, event.time);
        leased = true;
        last = &event;
      } else if (leased && (event.type == "step" || ends_lease(event))) {
        add_work(task, *last, event);
        last = &event;
        leased = !ends_lease(event);
        if (event.type == "retry") waits_ = {"rests after: " + event.text, event.time};
        if (event.type == "released") waits_ = {"given back: " + event.text, event.time};
        if (event.type == "input_lost") waits_ = {"rendered again: " + event.text, event.time};
      }
    }
    if (leased && last != nullptr) {
      Event running = *last;
      running.type = "running";
      running.time = records_.now;
      add_work(task, *last, running);
    } else if (task.state == queue::TaskState::ready || task.state == queue::TaskState::waiting) {
      end_wait(row, records_.now);
    }
  }

  /// Ranks do one thing at a time: what began before another thing of its row had ended waited for it, as a window does
  /// that is leased while one before it is still denoised.
  void untangle() {
    std::map<std::pair<int, int>, std::vector<json*>> rows;
    for (json& event : events_) {
      if (event["ph"] == "X" && event["pid"] != kQueueProcess) rows[{event["pid"], event["tid"]}].push_back(&event);
    }
    for (auto& [row, spans] : rows) {
      std::ranges::stable_sort(spans, {}, [](const json* span) { return span->at("ts").get<std::int64_t>(); });
      std::int64_t busy_until = 0;
      for (json* span : spans) {
        const std::int64_t from = span->at("ts");
        const std::int64_t to = from + span->at("dur").get<std::int64_t>();
        const std::int64_t begin = std::max(from, busy_until);
        busy_until = std::max(begin, to);
        (*span)["ts"] = begin;
        (*span)["dur"] = busy_until - begin;
      }
    }
  }

  void end_wait(int row, ServerTime time) {
    if (!waits_.name.empty() && waits_.since != ServerTime{} && time > waits_.since) {
      add_span(kQueueProcess, row, waits_.name, "wait", waits_.since, time);
    }
    waits_ = {};
  }

  /// What was done between two events of one lease.
  void add_work(const queue::TaskRecord& task, const Event& from, const Event& to) {
    const std::string phase = from.type == "claimed" ? "encode" : from.state;
    const bool stitch = task.spec.kind == queue::TaskKind::stitch;
    const Row row = stitch ? kStitch : phase == "decode" || phase == "write" ? kDecode : kDenoise;
    std::string name = phase;
    // The event that says "step 3" comes when the third is done.
    if (phase == "step")
      name += " " + std::to_string(to.type == "step" && to.state == "step" ? to.step : from.step + 1);
    if (stitch) name = "stitch";
    // Between the last step and the first sign of its decoder a window waits for the one before it.
    if (phase == "step" && from.steps > 0 && from.step >= from.steps) name = "waits for the decoder";
    json more = {{"task", task.spec.id}, {"attempt", from.attempt}};
    if (to.type != "step" && to.type != "done") more["ends"] = to.type;
    if (!to.text.empty()) more["text"] = to.text;
    const int process = process_of(from.owner);
    if (rows_.insert({process, row}).second) name_row(process, row, "thread_name", name_of(row));
    add_span(process, row, task_name(task) + ": " + name, stitch ? "stitch" : "render", from.time, to.time, more);
  }

  int process_of(const std::string& owner) {
    const auto [found, is_new] = processes_.insert({owner, kQueueProcess + 1 + static_cast<int>(processes_.size())});
    if (is_new) {
      std::string name = owner;
      const auto group = std::ranges::find(records_.groups, owner, &queue::GroupRecord::id);
      if (group != records_.groups.end()) {
        name += " on " + group->host + ", " + std::to_string(group->ranks) + (group->ranks == 1 ? " rank" : " ranks");
      }
      name_row(found->second, 0, "process_name", name);
    }
    return found->second;
  }

  struct Wait {
    std::string name{};
    ServerTime since{};
  };

  const TraceRecords& records_;
  ServerTime begin_;
  json events_ = json::array();
  std::map<std::string, int> processes_;
  std::set<std::pair<int, Row>> rows_;
  Wait waits_;
};

}  // namespace

json timeline_of(const TraceRecords& records) {
  return Timeline(records).make();
}

}  // namespace reelfarm::cli
