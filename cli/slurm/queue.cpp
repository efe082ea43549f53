#include "cli/slurm/queue.hpp"

#include <sstream>

#include "cli/errors.hpp"
#include "cli/siblings.hpp"

namespace reelfarm::cli::slurm {
namespace {

std::string output_of(const std::string& name, const std::vector<std::string>& words) try {
  const posix::Ended ended = run_sibling(name, words);
  if (ended.exit_code == 0) return ended.output;
  throw CommandError(kFarmUnreachable, name + " ended with code " + std::to_string(ended.exit_code) + ": " +
                                           ended.errors.substr(0, ended.errors.find_last_not_of('\n') + 1));
} catch (const BadInput& error) {
  throw BadInput(std::string(error.what()) + ": is this a machine that submits to Slurm?");
}

}  // namespace

std::string sbatch(const std::vector<std::string>& words) {
  std::vector<std::string> line = {"--parsable"};
  line.insert(line.end(), words.begin(), words.end());
  // "number" or "number;cluster"
  const std::string id = output_of("sbatch", line);
  return id.substr(0, id.find_first_of(";\n"));
}

std::vector<SlurmJob> jobs_named(const std::string& name) {
  std::istringstream lines(output_of("squeue", {"--me", "--array", "--noheader", "--name", name, "--format", "%i %T"}));
  std::vector<SlurmJob> jobs;
  for (SlurmJob job; lines >> job.id >> job.state;) jobs.push_back(job);
  return jobs;
}

void scancel(const std::vector<std::string>& jobs) {
  if (!jobs.empty()) output_of("scancel", jobs);
}

}  // namespace reelfarm::cli::slurm
