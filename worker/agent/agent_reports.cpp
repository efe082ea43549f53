// What the ranks tell their agent.
#include "worker/agent/detail/agent_impl.hpp"

namespace reelfarm::worker {

HeldTask* Agent::Impl::find(const std::string& task) {
  const auto entry = held.find(task);
  return entry == held.end() ? nullptr : &entry->second;
}

void Agent::Impl::report(const std::string& task, decltype(Report::content) content, bool ends_lease) {
  HeldTask* const entry = find(task);
  if (entry == nullptr) return;
  if (!entry->lost) outbox.add({entry->lease.token, std::move(content)});
  if (ends_lease) held.erase(task);
}

void Agent::Impl::on(const Ready& message) {
  ready = true;
  failed_starts = 0;
  record.bundle = message.bundle;
  record.bundle_hash = message.bundle_hash;
  record.fingerprint = message.fingerprint;
  record.device = message.device;
  record.device_name = message.device_name;
  record.dtype = message.dtype;
  record.mesh = message.mesh;
  record.ranks = message.ranks;
  record.state = queue::GroupState::idle;
  registered = false;
  next_heartbeat = {};
  spdlog::info("group={} ready: bundle={} device={} ({}) dtype={} ranks={} threads={} fingerprint={}", group,
               message.bundle, message.device, message.device_name, message.dtype, message.ranks, message.threads,
               message.fingerprint);
}

void Agent::Impl::on(const Tick& tick) {
  const auto now = Clock::now();
  if (tick.task.empty()) {
    deadlines.observe(tick.phase, now - last_load_tick);
    loading_phase = tick.phase;
    last_load_tick = now;
    return;
  }
  HeldTask* const task = find(tick.task);
  if (task == nullptr) return;
  if (tick.phase == task->phase) deadlines.observe(tick.phase, now - task->last_tick);
  task->phase = tick.phase;
  task->last_tick = now;
  task->last_renewal = now;  // a tick renews, too
  report(tick.task, queue::Progress{tick.phase, tick.step, tick.steps, tick.fraction}, false);
}

void Agent::Impl::on(const TailReady& tail) {
  if (HeldTask* const task = find(tail.task)) task->tail = artifact_of(tail.file);
  report(tail.task, artifact_of(tail.file), false);
}

void Agent::Impl::on(const Done& done) {
  spdlog::info("group={} task={} done: {}", group, done.task, done.file.path);
  const HeldTask* const task = find(done.task);
  // The tail once more: a replica that took over since may never have heard of it.
  const auto tail = task ? task->tail : std::nullopt;
  report(done.task, queue::FinishReport{done.file.sha256, artifact_of(done.file), tail, done.metrics}, true);
}

void Agent::Impl::on(const Failed& failed) {
  HeldTask* const task = find(failed.task);
  if (task != nullptr && room.was_lacking(bytes_of(task->lease.task.spec))) {
    const std::string complaint = room.complaint();
    spdlog::warn("group={} task={} goes back to the queue, {}: {}", group, failed.task, complaint, failed.message);
    report(failed.task, ReleaseReport{complaint}, true);
    return;
  }
  spdlog::error("group={} task={} failed ({}): {}", group, failed.task, failed.failure, failed.message);
  report(failed.task, FailureReport{queue::failure_class_from(failed.failure), failed.message}, true);
}

void Agent::Impl::on(const InputLost& lost) {
  HeldTask* const task = find(lost.task);
  if (task == nullptr) return;
  const auto& inputs = task->lease.inputs;
  if (inputs.empty()) {  // The user's own image: nothing in the farm can make it again.
    on(Failed{lost.task, std::string(queue::to_string(queue::FailureClass::storage)), lost.message});
    return;
  }
  const queue::TaskInput& input = inputs.front();
  spdlog::warn("group={} task={} cannot start from {}: {}", group, lost.task, input.task, lost.message);
  report(lost.task, InputReport{input.task, input.artifact ? input.artifact->sha256 : "", lost.message}, true);
}

void Agent::Impl::on(const Released& released) {
  spdlog::info("group={} task={} released after step {}", group, released.task, released.step);
  report(released.task, ReleaseReport{draining || resting() ? "drain" : "stopped"}, true);
}

void Agent::Impl::on(const Note& note) {
  spdlog::info("group={} task={} {}", group, note.task, note.text);
}

}  // namespace reelfarm::worker
