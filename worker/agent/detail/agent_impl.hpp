#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "queue/job_store.hpp"
#include "worker/agent/agent.hpp"
#include "worker/agent/deadlines.hpp"
#include "worker/agent/disk_room.hpp"
#include "worker/agent/held_task.hpp"
#include "worker/agent/outbox.hpp"
#include "worker/agent/ranks_process.hpp"
#include "worker/protocol/line_channel.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// What an agent knows. agent.cpp has its loop and its ranks' life, agent_queue.cpp its talk with the queue,
/// agent_reports.cpp what its ranks tell it.
struct Agent::Impl {
  using Clock = std::chrono::steady_clock;

  explicit Impl(AgentOptions with);

  int run(int drain_descriptor);

  void wait_for_events(int drain_descriptor);
  void start_ranks();
  void end_ranks(const decltype(Report::content)& ending);
  void give_back_killed();
  void ranks_died(queue::FailureClass failure, const std::string& how);
  void read_messages();
  void forgive_silence(Clock::duration lost);
  void check_deadlines();
  void talk_to_queue();
  void renew_leases();
  void claim();
  bool data_is_usable();
  void heed(const queue::FencingToken& token, queue::ReplyCode reply);
  void stop_task(HeldTask& task, bool drain);
  void stop_all_tasks() {
    for (auto& [id, task] : held) stop_task(task, /*drain=*/true);
  }
  void begin_drain(const std::string& why);
  void leave_when_idle();
  void keep_hours();

  void on(const Ready& ready);
  void on(const Tick& tick);
  void on(const TailReady& tail);
  void on(const Done& done);
  void on(const Failed& failed);
  void on(const InputLost& lost);
  void on(const Released& released);
  void on(const Note& note);
  template <typename Unexpected>
  void on(const Unexpected&) {
    spdlog::warn("group={} the ranks sent an order instead of a report", group);
  }

  HeldTask* find(const std::string& task);
  void report(const std::string& task, decltype(Report::content) content, bool ends_lease);
  bool rendering() const { return channel && ready; }
  /// Draining until it is told otherwise, or its hours begin: it stays, and takes nothing.
  bool resting() const { return drain_requested || off_hours; }

  AgentOptions options;
  queue::JobStore store;
  PhaseDeadlines deadlines;
  DiskRoom room;
  std::string group;
  Listener listener;
  queue::GroupRecord record;
  std::string farm_id;  ///< asked for again when the queue has been away: it may be another Redis by then
  std::optional<RanksProcess> ranks;
  std::optional<LineChannel> channel;
  bool ready = false;
  std::map<std::string, HeldTask> held;
  Outbox outbox;
  std::string loading_phase = "load";
  Clock::time_point last_load_tick;
  Clock::time_point next_start;
  Clock::time_point next_heartbeat;
  Clock::time_point drain_began;
  Clock::time_point left_socket;
  Clock::time_point last_busy = Clock::now();
  std::optional<int> give_up;
  int failed_starts = 0;
  bool draining = false;
  bool kill_now = false;
  bool drain_requested = false;
  bool off_hours = false;
  bool registered = false;
  bool queue_away = false;
};

}  // namespace reelfarm::worker
