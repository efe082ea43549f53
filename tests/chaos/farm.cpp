#include "tests/chaos/farm.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "cli/siblings.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/errors.hpp"
#include "queue/keys.hpp"

namespace reelfarm::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Fixed, unlike the pause of `reelfarm up`, which grows while a child dies often: here that is no sign of trouble.
constexpr milliseconds kRestartPause{300};
constexpr milliseconds kLook{10};
constexpr seconds kComesUp{120};
// Short, so that what only an expiry or a deadline finds out is found out often in a short run.
constexpr int kLease_s = 4;
constexpr const char* kSettle_s = "0.3";
constexpr int kFirstDeadline_s = 15;
constexpr int kLeastDeadline_s = 3;

}  // namespace

Farm::Farm(FarmOptions options) : options_(std::move(options)), data_(options_.data) {
  for (const auto& folder :
       {data_.root(), data_.run(), data_.logs(), data_.jobs(), data_.inputs(), data_.videos(), data_.redis()}) {
    std::filesystem::create_directories(folder);
  }
  queue::PrivateRedisOptions redis;
  redis.directory = data_.redis();
  redis_ = std::make_unique<queue::PrivateRedis>(redis);
  direct_.url = redis_->url();
  direct_.connect_timeout = seconds(1);
  direct_.command_timeout = seconds(1);
  proxy_ = std::make_unique<Proxy>(data_.redis() / "redis.sock");
  store_ = std::make_unique<queue::JobStore>(direct_);
  start_all();
}

Farm::~Farm() = default;

cli::ChildProcess& Farm::add(const std::string& name, std::vector<std::string> words) {
  const std::string program = "reelfarm-" + name.substr(0, name.find('-'));
  words.insert(words.begin(), {"--redis", proxy_->url(), "--data", data_.root().string()});
  cli::ChildPlan plan{name, cli::find_sibling(program), std::move(words)};
  children_.push_back(std::make_unique<cli::ChildProcess>(std::move(plan), data_.logs(), /*echo=*/false));
  children_.back()->start();
  return *children_.back();
}

void Farm::start_all() {
  coordinator_ = &add("coordinator", {});
  // It makes in DATA what the others need.
  wait_for("the coordinator", [this] { return coordinator_is_up(); });
  stitcher_ = &add("stitcher", {"--lease", std::to_string(kLease_s), "--settle", kSettle_s});
  for (int group = 0; group < options_.groups; ++group) {
    agents_.push_back(&add("worker-" + std::to_string(group),
                           {"--bundle", options_.bundle.string(), "--device", "cpu", "--threads", "1", "--ranks",
                            std::to_string(options_.ranks), "--host", host(group), "--lease", std::to_string(kLease_s),
                            "--settle", kSettle_s, "--first-deadline", std::to_string(kFirstDeadline_s),
                            "--least-deadline", std::to_string(kLeastDeadline_s)}));
  }
  wait_for("the worker groups", [this] { return groups_are_ready(); });
}

void Farm::wait_for(const std::string& what, const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + kComesUp;
  while (!condition()) {
    tend();
    if (Clock::now() > deadline) throw std::runtime_error(what + " did not come up; see " + data_.logs().string());
    std::this_thread::sleep_for(kLook);
  }
}

bool Farm::coordinator_is_up() const {
  std::ifstream file(data_.coordinator_file());
  return nlohmann::json::parse(file, nullptr, false).is_object();
}

bool Farm::groups_are_ready() {
  const auto groups = store_->list_groups();
  return std::ranges::all_of(agents_, [&](const cli::ChildProcess* agent) {
    return std::ranges::any_of(groups, [&](const queue::GroupRecord& group) {
      return group.pid == agent->pid() && group.state == queue::GroupState::idle;
    });
  });
}

void Farm::tend() {
  const auto now = Clock::now();
  for (const auto& child : children_) {
    child->pump();
    if (child->reap()) restarts_.push_back({child.get(), now + kRestartPause});
    const auto restart = std::ranges::find(restarts_, child.get(), &Restart::child);
    if (restart == restarts_.end() || now < restart->at) continue;
    restarts_.erase(restart);
    child->start();
  }
}

std::optional<Process> Farm::process_of(const cli::ChildProcess& child) {
  return child.running() ? find_process(child.pid()) : std::nullopt;
}

std::optional<Process> Farm::redis() const {
  return redis_->pid() > 0 ? find_process(redis_->pid()) : std::nullopt;
}

std::optional<Process> Farm::launcher(int group) const {
  const auto of = agent(group);
  if (!of) return std::nullopt;
  for (const Process& child : children_of(of->pid)) {
    // Another child, at the start, is the program that looks at the bundle.
    if (command_line(child).find("reelfarm-ranks") != std::string::npos) return child;
  }
  return std::nullopt;
}

std::vector<Process> Farm::ranks(int group) const {
  const auto of = launcher(group);
  return of ? children_of(of->pid) : std::vector<Process>();
}

void Farm::shift_clock(milliseconds by) {
  queue::detail::RedisConnection redis({.url = queue::RedisUrl::parse(direct_.url)});
  clock_offset_ += by;
  redis.command({"SET", queue::Keys(direct_.farm).clock_offset(), std::to_string(clock_offset_.count())});
}

std::vector<Process> Farm::stop(seconds patience) {
  const auto deadline = Clock::now() + patience;
  const auto end = [&](const std::vector<cli::ChildProcess*>& children) {
    for (const auto* child : children) child->signal(SIGTERM);
    const auto running = [](cli::ChildProcess* child) {
      child->pump();
      child->reap();
      return child->running();
    };
    while (std::ranges::count_if(children, running) > 0 && Clock::now() < deadline) std::this_thread::sleep_for(kLook);
  };
  end(agents_);
  end({stitcher_, coordinator_});
  store_.reset();
  redis_->stop();
  std::vector<Process> left = processes_with(data_.root().string());
  // Those of an MPI world that ends take a moment longer than their agent.
  while (!left.empty() && Clock::now() < deadline) {
    std::this_thread::sleep_for(kLook);
    left = processes_with(data_.root().string());
  }
  return left;
}

}  // namespace reelfarm::chaos
