#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace reelfarm::test {

/// A real Slurm on this machine for as long as the object lives: munged, slurmctld and one slurmd per node, each with
/// its files in one folder and on ports of its own. Nodes are names for parts of this machine; MPI over several of them
/// works. Needs root and Debian's slurmctld, slurmd, slurm-client and munge.
///
/// Whatever the daemons start is a descendant of this process (which becomes the subreaper of its orphans) and goes
/// with the object; nothing else is touched.
class SlurmCluster {
 public:
  struct Options {
    int nodes = 2;
    int cpus_per_node = 2;  ///< as Slurm counts; this machine may have fewer
  };

  /// Returns when every node is idle. Throws std::runtime_error with the ends of the logs when that fails.
  explicit SlurmCluster(const std::filesystem::path& folder) : SlurmCluster(folder, Options()) {}
  SlurmCluster(const std::filesystem::path& folder, Options options);
  ~SlurmCluster();
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;

  /// Why there can be no cluster here; empty when there can.
  static std::string missing();

  const std::filesystem::path& config() const { return config_; }

  /// What a command prints, with SLURM_CONF set. Throws std::runtime_error on another exit code than 0.
  std::string run(const std::string& command) const;

  /// State of a job as squeue's %T says it (PENDING, RUNNING, COMPLETING, ...); empty when Slurm has forgotten it.
  std::string job_state(const std::string& job) const;

  /// Slurm lets a requeued job wait for two minutes, the life of its credential. A new one is good from the second
  /// after the old one was revoked, so the job starts in two seconds.
  void end_requeue_delay(const std::string& job) const;

  /// A power cut: slurmd and everything that runs on the node (1, 2, ...) dies at once. Slurm is told, so that the test
  /// need not wait until slurmctld misses the node.
  void fail_node(int node);
  /// The node comes back, empty.
  void restart_node(int node);

 private:
  void write_config(const Options& options);
  pid_t start(const std::string& name, const std::vector<std::string>& words);
  void start_node(int node);
  void wait_until_idle(int nodes) const;
  void stop();
  std::string logs() const;

  std::filesystem::path folder_;
  std::filesystem::path config_;
  std::map<std::string, pid_t> daemons_;
};

}  // namespace reelfarm::test
