#pragma once

#include <string>
#include <vector>

namespace reelfarm::cli {

/// One job of this user in Slurm's queue; of an array one entry per task.
struct SlurmJob {
  std::string id;     ///< as scancel takes it: 17 or 17_3
  std::string state;  ///< PENDING, RUNNING, COMPLETING, ...
};

/// Slurm's commands. Each throws CommandError with the command's own words when it ends with another code than 0, and
/// BadInput when Slurm is not installed here.
namespace slurm {

/// Number of the new job.
std::string sbatch(const std::vector<std::string>& words);
std::vector<SlurmJob> jobs_named(const std::string& name);
void scancel(const std::vector<std::string>& jobs);

}  // namespace slurm
}  // namespace reelfarm::cli
