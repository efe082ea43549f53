#include "coordinator/coordinator.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "coordinator/data_marker.hpp"
#include "coordinator/inbox.hpp"
#include "coordinator/output_placement.hpp"
#include "coordinator/output_template.hpp"
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

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options) : options_(std::move(options)), data_(options_.data) {
  queue::JobStore store(options_.store);
  const std::string farm_id = store.farm_id();
  claim_data_folder(data_, farm_id);
  write_own_file(farm_id);
  spdlog::info("farm={} data={} state=ready", farm_id, data_.root().string());
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
  const nlohmann::json document = {
      {"schema", 1}, {"farm", farm_id}, {"pid", ::getpid()}, {"output_root", options_.output_root.string()}};
  artifacts::write_file_durably(data_.coordinator_file(), document.dump() + "\n");
}

void Coordinator::keep_running(const char* what, const std::function<void()>& step) {
  std::string failing;
  while (!stopped()) {
    try {
      step();
      if (!failing.empty()) spdlog::info("{}=recovered", what);
      failing.clear();
    } catch (const std::exception& error) {
      if (failing != error.what()) spdlog::error("{}=failing error=\"{}\"", what, error.what());
      failing = error.what();
      pause(options_.retry_pause);
    }
  }
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
        look_again = true;
      }
      if (look_again) inbox->process();
      if (SteadyClock::now() - last_reap >= options_.reap_every) {
        log_reaped(store->reap());
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
      }
      const auto now = SteadyClock::now();
      if (last_clean == SteadyClock::time_point::min() || now - last_clean >= options_.janitor_every) {
        last_clean = now;
        clean(*store, data_, options_.janitor);
      }
      if (options_.output_root.empty()) {
        pause(std::min<std::chrono::milliseconds>(options_.janitor_every, std::chrono::seconds(1)));
        return;
      }
      if (last_scan == SteadyClock::time_point::min() || now - last_scan >= options_.placement_scan_every) {
        last_scan = now;
        place_outputs_of_done_jobs(*store);
      }
      for (const queue::Event& event : events->read(options_.poll)) {
        if (event.type != "done") continue;
        if (const auto job = store->get_job(event.job)) place(*job);
      }
    } catch (...) {
      events.reset();
      store.reset();
      throw;
    }
  });
}

void Coordinator::place_outputs_of_done_jobs(queue::JobStore& store) {
  queue::JobQuery query;
  query.states = {queue::JobState::done};
  for (const queue::JobRecord& job : store.list_jobs(query)) {
    if (stopped()) return;
    place(job);
  }
}

void Coordinator::place(const queue::JobRecord& job) {
  if (job.state != queue::JobState::done || job.spec.output.empty() || job.output.empty()) return;
  if (!lies_under(expand_output(job.spec.output, job.id, job.spec), options_.output_root)) return;
  if (placed_output(data_, job.id)) return;
  try {
    spdlog::info("job={} output=\"{}\"", job.id, place_output(data_, job).string());
  } catch (const std::exception& error) {
    spdlog::error("job={} output=failed error=\"{}\"", job.id, error.what());
  }
}

}  // namespace reelfarm::coordinator
