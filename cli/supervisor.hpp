#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/child_process.hpp"
#include "cli/farm_file.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"

namespace reelfarm::cli {

struct SupervisorOptions {
  queue::DataFolder data{""};
  queue::StoreOptions store;
  std::optional<queue::PrivateRedisOptions> redis;  ///< nothing: the store's URL is somebody else's
  std::string redis_host{};  ///< name by which other machines reach the private Redis; empty: it is for this one alone
  std::vector<ChildPlan> services;  ///< the coordinator, then the stitcher: stopped after the workers
  std::vector<ChildPlan> workers;
  bool echo = true;  ///< what the children print also goes to stderr
  bool detached = false;
};

/// Runs the programs of a farm on this machine: starts them, starts again what dies, drains and stops them.
/// One thread: the kernel ties a child's life to the thread that made it.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  ~Supervisor();

  /// Called once when Redis answers, a coordinator works and the ranks of a group have their weights.
  std::function<void()> on_ready;

  /// Returns when the farm has stopped: after SIGTERM, SIGINT or (unless detached) SIGHUP it drains, after a second
  /// one it kills. Throws CommandError when the farm cannot come up.
  void run();

  /// URL of the status page; empty while no coordinator of ours serves one.
  std::string page() const;

 private:
  void start_redis();
  void make_children();
  void start_others();
  void watch_redis();
  void restart_what_died();
  nlohmann::json own_coordinator() const;
  bool group_is_ready();
  void check_ready();
  [[noreturn]] void give_up(const ChildProcess& child) const;
  void write_farm() const;
  /// Waits for signals, output and deaths, at most a moment.
  void wait();
  void read_signals();
  void drain();
  /// SIGTERM, then SIGKILL after `grace` or a second signal; without grace there is no limit.
  void stop(std::vector<std::unique_ptr<ChildProcess>>& children, std::optional<std::chrono::seconds> grace);
  void say(const std::string& text) const;

  SupervisorOptions options_;
  std::string farm_id_;
  int signals_ = -1;
  int stop_requests_ = 0;
  bool coordinator_up_ = false;  ///< until then nothing else is started: it makes what the others need in DATA
  bool ready_ = false;
  bool redis_lost_ = false;
  std::chrono::steady_clock::time_point next_look_{};
  std::unique_ptr<queue::PrivateRedis> redis_;
  std::unique_ptr<queue::JobStore> store_;
  std::vector<std::unique_ptr<ChildProcess>> services_;
  std::vector<std::unique_ptr<ChildProcess>> workers_;
};

}  // namespace reelfarm::cli
