// What an agent says to the queue and hears from it.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "queue/data_folder.hpp"
#include "worker/agent/detail/agent_impl.hpp"

namespace reelfarm::worker {

void Agent::Impl::talk_to_queue() {
  try {
    outbox.deliver(store, [this](const Report& report, queue::ReplyCode reply) { heed(report.token, reply); });
    renew_leases();
    const auto now = Clock::now();
    if (!registered || queue_away) {
      farm_id = store.farm_id();
      if (options.bundle) store.register_bundle(*options.bundle);
      store.register_group(record);
      registered = true;
    }
    keep_hours();
    if (now >= next_heartbeat) {
      next_heartbeat = now + options.heartbeat;
      const auto state = draining || resting() ? queue::GroupState::draining
                         : !rendering()        ? queue::GroupState::starting
                         : held.empty()        ? queue::GroupState::idle
                                               : queue::GroupState::busy;
      const bool asked = store.heartbeat_group(group, state, record.note);
      if (asked && !drain_requested) stop_all_tasks();
      drain_requested = asked;
    }
    if (queue_away) spdlog::info("group={} the queue is back", group);
    queue_away = false;
    claim();
  } catch (const queue::ConnectionError& error) {
    if (!queue_away) spdlog::warn("group={} the queue is away, rendering goes on: {}", group, error.what());
    queue_away = true;
  }
}

void Agent::Impl::renew_leases() {
  const auto now = Clock::now();
  for (auto& [id, task] : held) {
    if (task.lost || now - task.last_renewal < task.lease.duration / 3) continue;
    // Reached only while check_deadlines holds the task alive: the ticks renew, this call spreads them over long steps.
    task.last_renewal = now;
    heed(task.lease.token, store.renew(task.lease.token));
  }
}

// `reelfarm groups` shows it; the note goes with the first claim.
void Agent::Impl::keep_hours() {
  if (!options.hours) return;
  const bool off = !options.hours->contain(options.wall_clock());
  if (off == off_hours) return;
  off_hours = off;
  next_heartbeat = {};
  record.note = off ? "outside its hours, " + options.hours->text() : "";
  spdlog::info("group={} hours={} {}", group, options.hours->text(), off ? "are over: draining" : "begin");
  if (off) stop_all_tasks();
}

// A disk that is full or not mounted, or another farm's folder, must not get our windows. `reelfarm groups` shows the
// reason.
bool Agent::Impl::data_is_usable() {
  if (farm_id.empty()) farm_id = store.farm_id();  // no coordinator was there before
  std::string complaint = queue::DataFolder(options.data).complaint(farm_id);
  if (complaint.empty()) complaint = room.complaint();
  if (complaint != record.note) {
    if (!complaint.empty()) spdlog::warn("group={} waiting: {}", group, complaint);
    record.note = complaint;
    next_heartbeat = {};
  }
  return complaint.empty();
}

void Agent::Impl::claim() {
  if (!rendering() || draining || resting()) return;
  // The ranks have still to let go of what was lost, and the queue may well offer the same task again.
  if (std::ranges::any_of(held, [](const auto& entry) { return entry.second.lost; })) return;
  const bool hands_full = static_cast<int>(held.size()) >= options.max_leases;
  if (hands_full || !std::ranges::all_of(held, [](const auto& entry) { return entry.second.past_denoising(); })) return;
  if (!data_is_usable()) return;
  queue::ClaimFilter filter;
  filter.owner = group;
  filter.host = options.host;
  filter.bundle_hash = record.bundle_hash;
  filter.fingerprint = record.fingerprint;
  filter.dtype = record.dtype;
  filter.max_leases = options.max_leases;
  std::optional<queue::Lease> lease = store.claim(filter);
  if (!lease) return;
  const queue::FencingToken token = lease->token;
  spdlog::info("group={} job={} task={} attempt={} claimed", group, lease->task.spec.job, token.task, token.attempt);
  try {
    const TaskOrder order = order_of(*lease, options.data);
    const auto now = Clock::now();
    HeldTask& task = held[token.task];
    task = HeldTask{std::move(*lease), "encode", now, now};
    channel->send(encode(order));
  } catch (const std::invalid_argument& error) {
    held.erase(token.task);
    const auto without_tail = std::ranges::find_if(lease->inputs, [](const queue::TaskInput& input) {
      return input.kind == queue::TaskKind::window && !input.tail;
    });
    if (without_tail != lease->inputs.end()) {
      const std::string digest = without_tail->artifact ? without_tail->artifact->sha256 : "";
      outbox.add({token, InputReport{without_tail->task, digest, error.what()}});
    } else {
      outbox.add({token, FailureReport{queue::FailureClass::internal, error.what()}});
    }
  }
}

void Agent::Impl::heed(const queue::FencingToken& token, queue::ReplyCode reply) {
  const auto entry = held.find(token.task);
  if (reply == queue::ReplyCode::ok || entry == held.end() || !(entry->second.lease.token == token)) return;
  HeldTask& task = entry->second;
  if (reply == queue::ReplyCode::stale || reply == queue::ReplyCode::gone) task.lost = true;
  if (!task.stopping) {
    spdlog::info("group={} task={} attempt={} the queue says {}: giving it up", group, token.task, token.attempt,
                 queue::to_string(reply));
  }
  stop_task(task, /*drain=*/reply == queue::ReplyCode::paused);
}

}  // namespace reelfarm::worker
