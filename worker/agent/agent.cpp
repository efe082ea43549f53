#include "worker/agent/agent.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "worker/agent/dead_sockets.hpp"
#include "worker/agent/detail/agent_impl.hpp"
#include "worker/agent/loop_clock.hpp"

namespace reelfarm::worker {
namespace {

std::string make_group_id(const std::string& host) {
  std::random_device random;
  return fmt::format("{}-{:08x}", host, random());
}

/// In a folder that always takes a socket: DATA may lie on a file system without sockets, or have too long a path.
std::filesystem::path socket_path(const std::string& group) {
  remove_dead_sockets(std::filesystem::temp_directory_path());
  return std::filesystem::temp_directory_path() / ("reelfarm-" + group.substr(group.size() - 8) + ".sock");
}

/// The loop that talks to Redis watches the ranks as well: a Redis that does not answer must not keep it for long.
AgentOptions with_short_waits(AgentOptions options) {
  options.store.connect_timeout = std::min(options.store.connect_timeout, std::chrono::milliseconds(1000));
  options.store.command_timeout = std::min(options.store.command_timeout, std::chrono::milliseconds(2000));
  return options;
}

}  // namespace

Agent::Impl::Impl(AgentOptions with)
    : options(with_short_waits(std::move(with))),
      store(options.store),
      deadlines(options.deadlines),
      room(options.data),
      group(make_group_id(options.host)),
      listener(socket_path(group)) {
  options.launch.arguments.insert(options.launch.arguments.end(), {"--agent-socket", listener.path().string()});
  record.id = group;
  record.host = options.host;
  record.pid = ::getpid();
  record.ranks = options.launch.ranks;
}

Agent::Agent(AgentOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Agent::~Agent() = default;
int Agent::run(int drain_descriptor) {
  return impl_->run(drain_descriptor);
}

int Agent::Impl::run(int drain_descriptor) {
  LoopClock loop(Clock::now());
  for (;;) {
    wait_for_events(drain_descriptor);
    forgive_silence(loop.lost(Clock::now()));
    if (ranks && ranks->exit_code()) {
      read_messages();  // what the ranks said last is worth more than how they died
      ranks_died(queue::FailureClass::crash, fmt::format("the ranks ended with code {}", *ranks->exit_code()));
    }
    read_messages();
    // A rank 0 that has left its socket renders for nobody. Its launcher takes a second or two to notice, and then
    // knows how it ended, which is worth more in a list of failed jobs than the time.
    constexpr auto kLauncherNotices = std::chrono::seconds(3);
    if (ranks && ready && !channel && Clock::now() - left_socket > kLauncherNotices) {
      ranks_died(queue::FailureClass::crash, "rank 0 left its socket");
    }
    check_deadlines();
    talk_to_queue();
    leave_when_idle();
    if (kill_now || give_up || (draining && Clock::now() - drain_began > options.drain_limit)) {
      if (ranks) give_back_killed();
      talk_to_queue();
      break;
    }
    if (draining && held.empty() && outbox.empty()) break;
    if (!ranks && !draining && Clock::now() >= next_start) start_ranks();
  }
  if (channel && channel->send(encode(ShutdownOrder{}))) {
    // The ranks leave MPI in order; what does not leave by then is killed with the session.
    const auto limit = Clock::now() + std::chrono::seconds(5);
    while (ranks && !ranks->exit_code() && Clock::now() < limit) {
      pollfd gone{channel->descriptor(), POLLIN, 0};
      ::poll(&gone, 1, 20);
    }
  }
  ranks.reset();
  try {
    if (give_up) {
      store.heartbeat_group(group, queue::GroupState::failed, record.note);
    } else {
      store.remove_group(group);
    }
  } catch (const queue::Error& error) {
    spdlog::warn("group={} cannot sign off: {}", group, error.what());
  }
  spdlog::info("group={} ended", group);
  return give_up.value_or(0);
}

void Agent::Impl::wait_for_events(int drain_descriptor) {
  // Whoever else connects only wants to know whether somebody listens (dead_sockets), and is let go. Until rank 0 has
  // said who it is the others wait, since one of them may be it.
  const bool may_accept = !channel || ready;
  pollfd events[3] = {
      {drain_descriptor, POLLIN, 0}, {may_accept ? listener.descriptor() : -1, POLLIN, 0}, {-1, POLLIN, 0}};
  if (channel) events[2].fd = channel->descriptor();
  constexpr int kLongestWaitMs = 200;
  ::poll(events, 3, kLongestWaitMs);
  if (events[0].revents != 0) {
    char skipped[512];
    [[maybe_unused]] const ssize_t count = ::read(drain_descriptor, skipped, sizeof skipped);
    if (draining) {
      kill_now = true;
    } else {
      begin_drain("asked to stop");
    }
  }
  if (events[1].revents != 0) {
    std::optional<LineChannel> next = listener.accept();
    if (!channel && !ready) channel = std::move(next);
  }
}

void Agent::Impl::begin_drain(const std::string& why) {
  spdlog::info("group={} draining: {}", group, why);
  draining = true;
  drain_began = Clock::now();
  next_heartbeat = {};
  stop_all_tasks();
}

void Agent::Impl::leave_when_idle() {
  const auto now = Clock::now();
  if (!rendering() || !held.empty()) last_busy = now;
  if (draining || options.idle_exit.count() == 0 || now - last_busy < options.idle_exit) return;
  begin_drain(fmt::format("nothing to do for {} s", options.idle_exit.count() / 1000));
}

void Agent::Impl::start_ranks() {
  ready = false;
  channel.reset();
  last_load_tick = Clock::now();
  spdlog::info("group={} starting {} rank(s): {}", group, options.launch.ranks, options.launch.program.string());
  ranks.emplace(options.launch);
}

void Agent::Impl::end_ranks(const decltype(Report::content)& ending) {
  ranks->kill_all();
  // Only now, with every rank confirmed dead, may another group have the tasks.
  ranks.reset();
  channel.reset();
  for (auto& [id, task] : held) {
    if (!task.lost) outbox.add({task.lease.token, ending});
  }
  held.clear();
}

/// Whoever ends the group wants its end, so that nothing of this counts against the task or the host.
void Agent::Impl::give_back_killed() {
  spdlog::warn("group={} killed while it drained; {} task(s) go back to the queue", group, held.size());
  end_ranks(ReleaseReport{"the group was killed while it drained"});
}

void Agent::Impl::ranks_died(queue::FailureClass failure, const std::string& how) {
  const int code = ranks->exit_code().value_or(1);
  const std::size_t lost_tasks = held.size();
  // Who stops a group often ends its ranks in the same moment: a batch system signals every process of a job.
  if (draining) {
    end_ranks(ReleaseReport{"the ranks were ended while the group drained (" + how + ")"});
  } else {
    end_ranks(FailureReport{failure, how});
  }
  failed_starts = ready ? 1 : failed_starts + 1;
  const bool was_ready = std::exchange(ready, false);
  const auto pause =
      std::min(options.restart_pause * (1 << std::min(failed_starts - 1, 20)), options.restart_pause_cap);
  next_start = Clock::now() + pause;
  next_heartbeat = {};
  if (draining) return;
  // Code 2 is a refusal of bundle or device: it will not get better by itself.
  constexpr int kRefused = 2;
  if (!was_ready && (code == kRefused || failed_starts >= options.max_failed_starts)) {
    record.note = fmt::format("{} before it was ready, {} time(s) in a row", how, failed_starts);
    spdlog::error("group={} gives up: {}", group, record.note);
    give_up = code == kRefused ? kRefused : 1;
    return;
  }
  spdlog::error("group={} {}; {} task(s) go back to the queue; next start in {} ms", group, how, lost_tasks,
                pause.count());
}

void Agent::Impl::read_messages() {
  if (!channel) return;
  const bool alive = channel->receive();
  while (const std::optional<std::string> line = channel->next_line()) {
    try {
      std::visit([this](const auto& message) { on(message); }, decode(*line));
    } catch (const ProtocolError& error) {
      spdlog::error("group={} {}", group, error.what());
    }
  }
  if (!alive) {
    channel.reset();
    left_socket = Clock::now();
  }
}

void Agent::Impl::forgive_silence(Clock::duration lost) {
  if (lost == Clock::duration::zero()) return;
  last_load_tick += lost;
  for (auto& [id, task] : held) task.last_tick += lost;
}

void Agent::Impl::check_deadlines() {
  if (!ranks || (ready && !channel)) return;
  const auto now = Clock::now();
  std::optional<std::string> hung;
  if (!ready && now - last_load_tick > deadlines.deadline(loading_phase)) hung = "the ranks did not come up";
  for (auto& [id, task] : held) {
    if (now - task.last_tick > deadlines.deadline(task.phase))
      hung = "no tick from task " + id + " in phase " + task.phase;
  }
  if (!hung) return;
  ranks_died(queue::FailureClass::hang, *hung + " by its deadline");
}

void Agent::Impl::stop_task(HeldTask& task, bool drain) {
  if (std::exchange(task.stopping, true) || !channel) return;
  channel->send(encode(StopOrder{task.lease.token.task, drain}));
}

}  // namespace reelfarm::worker
