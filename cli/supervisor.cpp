#include "cli/supervisor.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/errors.hpp"
#include "queue/host_name.hpp"
#include "queue/redis_url.hpp"

namespace reelfarm::cli {
namespace {

using Children = std::vector<std::unique_ptr<ChildProcess>>;
using Clock = std::chrono::steady_clock;

constexpr int kMaxWait_ms = 50;
constexpr std::chrono::milliseconds kReadyLook{50};
constexpr int kMaxDeathsBeforeReady = 3;
constexpr std::chrono::seconds kServiceGrace{15};

bool any_running(const Children& children) {
  return std::any_of(children.begin(), children.end(), [](const auto& child) { return child->running(); });
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options) : options_(std::move(options)) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  // A reader of stderr that goes away must not take the farm with it.
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

Supervisor::~Supervisor() {
  ::close(signals_);
}

void Supervisor::say(const std::string& text) const {
  std::fprintf(stderr, "reelfarm: %s\n", text.c_str());
}

void Supervisor::run() {
  start_redis();
  make_children();
  while (stop_requests_ == 0) {
    wait();
    watch_redis();
    restart_what_died();
    if (!ready_) check_ready();
  }
  drain();
}

void Supervisor::start_redis() {
  if (options_.redis) {
    redis_ = std::make_unique<queue::PrivateRedis>(*options_.redis);
    options_.store.url = redis_->url();
  }
  store_ = std::make_unique<queue::JobStore>(options_.store);
  const auto marker = options_.data.owner();
  farm_id_ = store_->adopt_farm_id(marker.value_or(""));
  if (marker) options_.data.require_owner(farm_id_);
  // Children read the URL from the environment: it may hold a password, and command lines are for all to see.
  ::setenv("REELFARM_REDIS", options_.store.url.c_str(), 1);
}

void Supervisor::make_children() {
  // What an earlier coordinator wrote does not count as this one being up.
  std::error_code ignored;
  std::filesystem::remove(options_.data.coordinator_file(), ignored);
  const bool secret = !queue::RedisUrl::parse(options_.store.url).password.empty();
  const auto make = [&](const std::vector<ChildPlan>& plans, Children& children) {
    for (ChildPlan plan : plans) {
      if (!secret) plan.arguments.insert(plan.arguments.begin(), {"--redis", options_.store.url});
      children.push_back(std::make_unique<ChildProcess>(std::move(plan), options_.data.logs(), options_.echo));
    }
  };
  make(options_.services, services_);
  make(options_.workers, workers_);
  services_.front()->start();
  write_farm();
}

void Supervisor::start_others() {
  coordinator_up_ = true;
  for (std::size_t index = 1; index < services_.size(); ++index) services_[index]->start();
  for (const auto& worker : workers_) worker->start();
  write_farm();
}

void Supervisor::write_farm() const {
  FarmFile file;
  file.farm = farm_id_;
  file.name = options_.store.farm;
  file.redis = options_.redis_host.empty() ? options_.store.url : redis_->url_for_others(options_.redis_host);
  file.host = queue::host_name();
  file.pid = ::getpid();
  file.page = page();
  file.detached = options_.detached;
  file.allow_volatile = options_.store.allow_volatile;
  if (redis_ && redis_->pid() > 0) file.pids["redis"] = redis_->pid();
  for (const Children* children : {&services_, &workers_}) {
    for (const auto& child : *children) {
      if (child->running()) file.pids[child->name()] = child->pid();
    }
  }
  write_farm_file(options_.data, file);
}

void Supervisor::watch_redis() {
  if (!redis_ || redis_->running()) return;
  if (!redis_lost_) say("redis-server has died; starting it again on the same files");
  redis_lost_ = true;
  if (Clock::now() < next_look_) return;
  try {
    redis_->start();
    redis_lost_ = false;
    write_farm();
    say("redis-server is back");
  } catch (const queue::Error& error) {
    say(error.what());
    next_look_ = Clock::now() + std::chrono::seconds(2);
  }
}

void Supervisor::restart_what_died() {
  bool changed = false;
  for (Children* children : {&services_, &workers_}) {
    for (const auto& child : *children) {
      if (!coordinator_up_ && child != services_.front()) continue;
      if (child->reap()) {
        changed = true;
        const int code = *child->last_exit();
        // Nothing that died like this gets better by itself.
        const bool hopeless = code == kBadInput || code == ChildProcess::kNotStarted;
        if (!ready_ && (hopeless || child->deaths() >= kMaxDeathsBeforeReady)) give_up(*child);
        say(child->name() + " has ended with code " + std::to_string(code) + "; it is started again");
      }
      const auto restart = child->restart_at();
      if (restart && Clock::now() >= *restart) {
        child->start();
        changed = true;
      }
    }
  }
  if (changed) write_farm();
}

void Supervisor::give_up(const ChildProcess& child) const {
  const int code = *child.last_exit();
  throw CommandError(code == kFarmUnreachable ? kFarmUnreachable : kBadInput,
                     "the farm does not come up: " + child.name() + " ended with code " + std::to_string(code) +
                         (code == ChildProcess::kNotStarted ? " (it cannot be run)" : "") +
                         "; its last words:" + child.last_words());
}

/// What our coordinator has said about itself; null while it has not.
nlohmann::json Supervisor::own_coordinator() const {
  std::ifstream file(options_.data.coordinator_file());
  auto document = nlohmann::json::parse(file, nullptr, false);
  const bool ours = document.is_object() && document.value("pid", 0) == services_.front()->pid();
  return ours ? document : nlohmann::json();
}

std::string Supervisor::page() const {
  const nlohmann::json document = own_coordinator();
  return document.is_null() ? "" : document.value("page", "");
}

bool Supervisor::group_is_ready() {
  try {
    const auto groups = store_->list_groups();
    return std::any_of(groups.begin(), groups.end(), [&](const queue::GroupRecord& group) {
      const bool has_weights = group.state == queue::GroupState::idle || group.state == queue::GroupState::busy;
      return has_weights && std::any_of(workers_.begin(), workers_.end(),
                                        [&](const auto& worker) { return worker->pid() == group.pid; });
    });
  } catch (const queue::ConnectionError&) {
    return false;  // watch_redis() is at it
  }
}

void Supervisor::check_ready() {
  if (Clock::now() < next_look_) return;
  next_look_ = Clock::now() + kReadyLook;
  if (!coordinator_up_ && !own_coordinator().is_null()) start_others();
  if (!coordinator_up_ || (!workers_.empty() && !group_is_ready())) return;
  ready_ = true;
  if (on_ready) on_ready();
}

void Supervisor::wait() {
  std::vector<pollfd> polls = {{signals_, POLLIN, 0}};
  for (const Children* children : {&services_, &workers_}) {
    for (const auto& child : *children) {
      if (child->output() >= 0) polls.push_back({child->output(), POLLIN, 0});
    }
  }
  ::poll(polls.data(), polls.size(), kMaxWait_ms);
  for (Children* children : {&services_, &workers_}) {
    for (const auto& child : *children) child->pump();
  }
  read_signals();
}

void Supervisor::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD || (number == SIGHUP && options_.detached)) continue;
    ++stop_requests_;
  }
}

void Supervisor::drain() {
  say("draining: running windows finish their step; once more kills");
  stop(workers_, std::nullopt);
  stop(services_, kServiceGrace);
  store_.reset();
  if (redis_) redis_->stop();
  std::error_code ignored;
  std::filesystem::remove(options_.data.farm_file(), ignored);
  say("stopped");
}

void Supervisor::stop(Children& children, std::optional<std::chrono::seconds> grace) {
  const auto deadline = Clock::now() + grace.value_or(std::chrono::hours(24 * 365));
  for (const auto& child : children) child->signal(SIGTERM);
  bool killed = false;
  while (any_running(children)) {
    if (!killed && (stop_requests_ > 1 || Clock::now() >= deadline)) {
      for (const auto& child : children) child->signal(SIGKILL);
      killed = true;
    }
    wait();
    watch_redis();
    for (const auto& child : children) child->reap();
  }
}

}  // namespace reelfarm::cli
