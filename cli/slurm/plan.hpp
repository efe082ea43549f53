#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/arguments.hpp"

namespace reelfarm::cli {

/// What `reelfarm slurm submit` was told, checked.
struct SlurmPlan {
  std::filesystem::path data;    ///< absolute, on storage that all nodes share
  std::filesystem::path bundle;  ///< absolute
  std::filesystem::path programs;
  std::filesystem::path container{};  ///< Apptainer image; empty: none
  std::filesystem::path stage{};      ///< folder on the disk of each node that gets a copy of the weights; empty: none
  std::int64_t groups = 1;
  std::int64_t groups_per_job = 1;  ///< that share the GPUs of one job
  std::int64_t at_once = 0;         ///< groups of the array that run at a time; 0: all
  std::int64_t nodes = 1;           ///< of each group
  std::int64_t ranks_per_node = 1;
  std::int64_t gpus_per_node = 0;  ///< of each job
  std::int64_t cpus_per_rank = 0;  ///< 0: Slurm's default
  std::int64_t drain_s = 300;      ///< notice before the time limit
  std::int64_t idle_exit_s = 0;    ///< 0: groups stay until their time is over
  std::int64_t takeover_s = 300;
  bool use_srun = false;  ///< srun with PMIx starts the ranks instead of mpirun
  std::string time{};     ///< as sbatch takes it; empty: the partition's
  std::string partition{};
  std::string account{};
  std::string reservation{};
  std::vector<std::string> farm_options{};    ///< of `reelfarm up`
  std::vector<std::string> worker_options{};  ///< of reelfarm-worker
  std::vector<std::string> sbatch_options{};  ///< as given behind "--", for both jobs

  /// Names the farm's jobs in the queue: the same for one DATA, another for another.
  std::string job_name() const;
  /// Jobs that hold so many groups; the last one may hold more than its share.
  std::int64_t jobs_for(std::int64_t count) const { return (count + groups_per_job - 1) / groups_per_job; }
  std::string group_job_name() const { return job_name() + "-group"; }
  std::filesystem::path farm_script() const { return data / "slurm" / "farm.sbatch"; }
  std::filesystem::path group_script() const { return data / "slurm" / "group.sbatch"; }
};

/// Reads the options that submit and autoscale share. Throws BadInput.
SlurmPlan read_slurm_plan(const Arguments& arguments);

/// The two sbatch scripts: `#SBATCH` lines, settings, and the body from slurm/. Pure.
std::string farm_script(const SlurmPlan& plan);
std::string group_script(const SlurmPlan& plan);

/// A word as a shell reads it back unchanged.
std::string shell_quoted(const std::string& word);

}  // namespace reelfarm::cli
