#include "bench/farm/simulated_workers.hpp"

#include <chrono>

#include "queue/errors.hpp"

namespace reelfarm::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kFingerprint = "b3a7";
constexpr int kSteps = 4;
constexpr std::chrono::milliseconds kBeat{5000};    ///< as the agents do
constexpr std::chrono::milliseconds kIdle{100};     ///< between claims that found nothing
constexpr std::chrono::milliseconds kRevisit{500};  ///< of a stitch whose windows are not done

queue::Artifact artifact(const queue::TaskSpec& task, const char* what) {
  return {"jobs/" + task.job + "/" + task.id + "/" + what, std::string(64, 'a'), 1000, 17};
}

}  // namespace

queue::BundleLimits simulated_bundle() {
  queue::BundleLimits limits;
  limits.name = "simulated";
  limits.hash = std::string(64, 'b');
  limits.default_width = 32;
  limits.default_height = 32;
  limits.window_frames = 17;
  limits.overlap_frames = {1};
  limits.default_steps = kSteps;
  limits.shift = 5;
  limits.guidance = 1;
  limits.distilled = true;
  limits.has_t2i = true;
  limits.needs_image = true;
  limits.conditions = {"first"};
  return limits;
}

struct SimulatedWorkers::Worker {
  queue::JobStore store;
  std::string id;
  queue::ClaimFilter filter;
  bool stitcher = false;
  Clock::time_point next_beat{};
  Clock::time_point next_claim{};
};

SimulatedWorkers::SimulatedWorkers(const queue::StoreOptions& options, int groups, int stitchers, int threads) {
  for (int index = 0; index < groups + stitchers; ++index) {
    Worker worker{queue::JobStore(options), "", {}, index >= groups};
    worker.id = (worker.stitcher ? "stitcher-" : "group-") + std::to_string(index);
    worker.filter.owner = worker.id;
    worker.filter.host = "host-" + std::to_string(index / 4);
    if (worker.stitcher) {
      worker.filter.kinds = {queue::TaskKind::stitch};
    } else {
      worker.filter.bundle_hash = simulated_bundle().hash;
      worker.filter.fingerprint = kFingerprint;
      queue::GroupRecord group;
      group.id = worker.id;
      group.host = worker.filter.host;
      group.bundle = simulated_bundle().name;
      group.bundle_hash = worker.filter.bundle_hash;
      group.fingerprint = kFingerprint;
      group.ranks = 1;
      group.device = "none";
      worker.store.register_group(group);
    }
    workers_.push_back(std::move(worker));
  }
  const auto count = static_cast<std::size_t>(groups);
  for (int thread = 0; thread < threads; ++thread) {
    threads_.emplace_back(
        [=, this] { serve(static_cast<std::size_t>(thread), static_cast<std::size_t>(threads), count); });
  }
  for (std::size_t index = count; index < workers_.size(); ++index) {
    threads_.emplace_back([=, this] { serve(index, 1, index + 1); });
  }
}

SimulatedWorkers::~SimulatedWorkers() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void SimulatedWorkers::serve(std::size_t first, std::size_t step, std::size_t end) {
  while (!stop_) {
    for (std::size_t index = first; index < end && !stop_; index += step) serve_once(workers_[index]);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void SimulatedWorkers::serve_once(Worker& worker) {
  const auto now = Clock::now();
  if (now >= worker.next_beat) {
    worker.next_beat = now + kBeat;
    ++counts_.transitions;
    if (worker.stitcher) {
      worker.store.heartbeat_stitcher({.id = worker.id, .host = worker.filter.host, .follow = 1});
    } else {
      worker.store.heartbeat_group(worker.id, queue::GroupState::idle);
    }
  }
  if (now < worker.next_claim) return;
  const auto lease = worker.store.claim(worker.filter);
  ++counts_.transitions;
  if (!lease) {
    ++counts_.empty_claims;
    worker.next_claim = now + kIdle;
    return;
  }
  ++counts_.claims;
  const queue::TaskSpec& task = lease->task.spec;
  if (task.kind == queue::TaskKind::stitch) {
    try {
      worker.store.finish(lease->token, {"video", artifact(task, "video.mp4")});
      ++counts_.videos;
    } catch (const queue::TransitionError&) {
      worker.store.release(lease->token, "windows are not done", false, kRevisit);
      ++counts_.transitions;
    }
    ++counts_.transitions;
    return;
  }
  for (int step = 1; step <= kSteps; ++step) worker.store.tick(lease->token, {"step", step, kSteps, 0});
  counts_.transitions += kSteps + 1;
  queue::FinishReport report{"frames", artifact(task, "frames")};
  if (task.kind == queue::TaskKind::window) {
    report.tail = artifact(task, "tail");
    worker.store.tail(lease->token, *report.tail);
    ++counts_.transitions;
    ++counts_.windows;
  }
  worker.store.finish(lease->token, report);
}

}  // namespace reelfarm::bench
