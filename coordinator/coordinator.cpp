#include "coordinator/coordinator.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "coordinator/data_marker.hpp"
#include "coordinator/disk.hpp"
#include "coordinator/inbox.hpp"
#include "coordinator/keep_running.hpp"
#include "coordinator/kept_state.hpp"
#include "coordinator/output_placement.hpp"
#include "coordinator/output_template.hpp"
#include "coordinator/rebuild.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "queue/event.hpp"

namespace reelfarm::coordinator {
namespace {

using SteadyClock = std::chrono::steady_clock;

void log_reaped(const queue::ReapResult& reaped) {
  if (reaped.clock_jump.count() != 0) spdlog::warn("clock_jump_ms={} leases=shifted", reaped.clock_jump.count());
  if (reaped.requeued + reaped.poisoned + reaped.cancelled + reaped.dropped == 0) return;
  spdlog::warn("leases=expired requeued={} poisoned={} cancelled={} dropped={}", reaped.requeued, reaped.poisoned,
               reaped.cancelled, reaped.dropped);
}

/// Whether what DATA keeps of a job may have changed.
bool is_to_keep(const queue::Event& event) {
  static const std::set<std::string> types = {"done",   "failed",  "cancelled", "closed", "retry",
                                              "paused", "resumed", "priority",  "mix",    "used"};
  if (event.task.empty()) return types.contains(event.type);
  return event.type == "done" && event.task == queue::task_id(event.job, queue::TaskKind::image);
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options) : options_(std::move(options)), data_(options_.data) {
  queue::JobStore store(options_.store);
  // A Redis that has lost everything, or is new, becomes that of DATA's farm.
  farm_id_ = store.adopt_farm_id(data_.owner().value_or(""));
  claim_data_folder(data_, farm_id_);
  write_own_file(farm_id_);
  spdlog::info("farm={} data={} state=ready", farm_id_, data_.root().string());
}

void Coordinator::run() {
  std::jthread files([this] { serve_files(); });
  serve_queue();
}

void Coordinator::stop() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  wake_.notify_all();
}

bool Coordinator::stopped() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

bool Coordinator::pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, duration, [this] { return stop_; });
}

void Coordinator::write_own_file(const std::string& farm_id) const {
  nlohmann::json document = {
      {"schema", 1}, {"farm", farm_id}, {"pid", ::getpid()}, {"output_root", options_.output_root.string()}};
  if (!options_.page_url.empty()) document["page"] = options_.page_url;
  artifacts::write_file_durably(data_.coordinator_file(), document.dump() + "\n");
}

void Coordinator::keep_running(const char* what, const std::function<void()>& step) {
  coordinator::keep_running(
      what, [this] { return stopped(); }, step, [this] { pause(options_.retry_pause); });
}

void Coordinator::recover(queue::JobStore& store) {
  data_.require_owner(store.adopt_farm_id(farm_id_));
  const RebuildResult rebuilt = rebuild(store, data_);
  if (rebuilt.restored + rebuilt.unreadable == 0) return;
  spdlog::warn("rebuild=done restored={} unreadable={}", rebuilt.restored, rebuilt.unreadable);
}

void Coordinator::serve_queue() {
  std::unique_ptr<queue::JobStore> store;
  std::unique_ptr<queue::EventReader> events;
  std::unique_ptr<Inbox> inbox;
  auto last_reap = SteadyClock::now() - options_.reap_every;
  bool look_again = true;
  keep_running("queue", [&] {
    try {
      if (!store) {
        store = std::make_unique<queue::JobStore>(options_.store);
        events = std::make_unique<queue::EventReader>(options_.store);
        inbox = std::make_unique<Inbox>(*store, data_);
        recover(*store);
        look_again = true;
      }
      if (look_again) inbox->process();
      if (SteadyClock::now() - last_reap >= options_.reap_every) {
        if (store->farm_id() != farm_id_) recover(*store);
        log_reaped(store->reap());
        watch_disk(*store, data_.root(), options_.high_water);
        last_reap = SteadyClock::now();
        // Entries that had to wait (no bundle yet, disk full) have no event of their own when the reason goes away.
        look_again = true;
        return;
      }
      look_again = false;
      for (const queue::Event& event : events->read(options_.poll)) {
        look_again = look_again || event.type == "submitted" || event.type == "bundle" || event.type == "group";
      }
    } catch (...) {
      events.reset();
      inbox.reset();
      store.reset();
      throw;
    }
  });
}

void Coordinator::serve_files() {
  std::unique_ptr<queue::JobStore> store;
  std::unique_ptr<queue::EventReader> events;
  auto last_clean = SteadyClock::time_point::min();
  auto last_scan = SteadyClock::time_point::min();
  keep_running("files", [&] {
    try {
      if (!store) {
        store = std::make_unique<queue::JobStore>(options_.store);
        events = std::make_unique<queue::EventReader>(options_.store);
        last_scan = SteadyClock::time_point::min();
        settled_.clear();  // it may be another Redis
      }
      const auto now = SteadyClock::now();
      if (last_clean == SteadyClock::time_point::min() || now - last_clean >= options_.janitor_every) {
        last_clean = now;
        clean(*store, data_, options_.janitor);
      }
      if (last_scan == SteadyClock::time_point::min() || now - last_scan >= options_.placement_scan_every) {
        last_scan = now;
        follow_all(*store);
      }
      for (const queue::Event& event : events->read(options_.poll)) {
        if (is_to_keep(event)) follow(*store, event);
      }
    } catch (...) {
      events.reset();
      store.reset();
      throw;
    }
  });
}

void Coordinator::follow_all(queue::JobStore& store) {
  std::map<std::string, std::int64_t> settled;
  for (const queue::JobRecord& job : store.list_jobs()) {
    if (stopped()) return;
    const auto known = settled_.find(job.id);
    const bool is_settled = job.closed && known != settled_.end() && known->second == job.revision;
    const bool done = is_settled || follow(store, job);
    if (done && job.closed) settled[job.id] = job.revision;
  }
  settled_ = std::move(settled);
}

void Coordinator::follow(queue::JobStore& store, const queue::Event& event) {
  if (event.type == "used") {
    // Of the takes one is chosen now and another not any more.
    for (const queue::JobRecord& take : store.takes(event.job)) follow(store, take);
  } else if (const auto job = store.get_job(event.job)) {
    follow(store, *job);
  }
}

bool Coordinator::follow(queue::JobStore& store, const queue::JobRecord& job) {
  bool kept = false;
  try {
    kept = keep_state(data_, store, job);
    if (!kept) bring_back(store, data_, job.id);
  } catch (const artifacts::ArtifactError& error) {
    spdlog::error("job={} state_file=failed error={}", job.id, logging::quoted(error.what()));
  } catch (const queue::CodecError& error) {
    spdlog::error("job={} state=behind error={}", job.id, logging::quoted(error.what()));
  } catch (const std::invalid_argument& error) {
    spdlog::error("job={} state=behind error={}", job.id, logging::quoted(error.what()));
  }
  return place(store, job) && kept;
}

// Of the takes of one job one is delivered, under the output of the first.
bool Coordinator::place(queue::JobStore& store, const queue::JobRecord& job) {
  if (options_.output_root.empty() || job.state != queue::JobState::done) return true;
  if (job.spec.output.empty() && job.spec.family.empty()) return true;
  const std::vector<queue::JobRecord> takes = store.takes(job.id);
  if (takes.empty()) return true;
  const queue::JobRecord& first = takes.front();
  const int used = store.used_take(takes);
  const auto chosen =
      std::find_if(takes.begin(), takes.end(), [&](const queue::JobRecord& take) { return take.spec.take == used; });
  if (chosen == takes.end() || first.spec.output.empty() || chosen->output.empty()) return true;
  if (!lies_under(expand_output(first.spec.output, first.id, chosen->spec), options_.output_root)) return true;
  if (placed_take(data_, first.id) == used) return true;
  try {
    spdlog::info("job={} take={} output={}", first.id, used,
                 logging::quoted(place_take(data_, first, *chosen).string()));
  } catch (const std::exception& error) {
    spdlog::error("job={} take={} output=failed error={}", first.id, used, logging::quoted(error.what()));
    return false;
  }
  return true;
}

}  // namespace reelfarm::coordinator
