#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/child_process.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"
#include "tests/chaos/processes.hpp"
#include "tests/chaos/proxy.hpp"

namespace reelfarm::chaos {

struct FarmOptions {
  std::filesystem::path data;    ///< made when missing
  std::filesystem::path bundle;  ///< folder of weights
  int groups = 2;                ///< each says that it is on a host of its own
  int ranks = 1;                 ///< of each group; they render every window together
};

/// A farm of real processes that are children of this one, so that each can be hurt alone; what dies is started again.
/// The farm's own way to Redis leads through the proxy; the tests' store does not.
/// Not thread-safe; the kernel kills the farm when the thread that made it ends.
class Farm {
 public:
  using Clock = std::chrono::steady_clock;

  /// Returns when all groups have their weights. Throws std::runtime_error naming what does not come up.
  explicit Farm(FarmOptions options);
  /// Kills what still runs.
  ~Farm();
  Farm(const Farm&) = delete;
  Farm& operator=(const Farm&) = delete;

  /// Takes what the processes print and starts again what has died. To be called often.
  void tend();

  const queue::DataFolder& data() const { return data_; }
  /// The way around the proxy, with patience of a second.
  const queue::StoreOptions& direct() const { return direct_; }
  queue::JobStore& store() { return *store_; }
  int groups() const { return static_cast<int>(agents_.size()); }
  Proxy& proxy() { return *proxy_; }

  /// The process now; nothing while it is being started again.
  std::optional<Process> coordinator() const { return process_of(*coordinator_); }
  std::optional<Process> stitcher() const { return process_of(*stitcher_); }
  std::optional<Process> agent(int group) const { return process_of(*agents_[static_cast<std::size_t>(group)]); }
  std::optional<Process> redis() const;
  /// mpirun, a child of the group's agent.
  std::optional<Process> launcher(int group) const;
  /// Children of mpirun.
  std::vector<Process> ranks(int group) const;
  std::string host(int group) const { return "host-" + std::to_string(group); }

  /// What the scripts take for the server's time moves by so much, forward or back, and stays there.
  /// Throws queue::ConnectionError.
  void shift_clock(std::chrono::milliseconds by);

  void kill_redis() { redis_->kill(); }
  /// On the same files. Throws queue::ServerStartError.
  void start_redis() { redis_->start(); }

  /// Stops everything in order, as `reelfarm down` does, and returns the processes that are left after that.
  std::vector<Process> stop(std::chrono::seconds patience);

 private:
  static std::optional<Process> process_of(const cli::ChildProcess& child);
  cli::ChildProcess& add(const std::string& name, std::vector<std::string> words);
  void start_all();
  void wait_for(const std::string& what, const std::function<bool()>& condition);
  bool coordinator_is_up() const;
  bool groups_are_ready();

  FarmOptions options_;
  queue::DataFolder data_;
  queue::StoreOptions direct_;
  std::unique_ptr<queue::PrivateRedis> redis_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<queue::JobStore> store_;
  std::vector<std::unique_ptr<cli::ChildProcess>> children_;
  struct Restart {
    const cli::ChildProcess* child;
    Clock::time_point at;
  };
  std::vector<Restart> restarts_;
  std::chrono::milliseconds clock_offset_{0};
  cli::ChildProcess* coordinator_ = nullptr;
  cli::ChildProcess* stitcher_ = nullptr;
  std::vector<cli::ChildProcess*> agents_;
};

}  // namespace reelfarm::chaos
