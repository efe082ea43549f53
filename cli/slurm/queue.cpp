#include "cli/slurm/queue.hpp"

#include <sstream>

#include "cli/errors.hpp"
#include "cli/siblings.hpp"

namespace reelfarm::cli::slurm {
namespace {

std::string output_of(const std::string& name, const std::vector<std::string>& words) {
  std::filesystem::path program;
  try {
    program = find_sibling(name);
  } catch (const BadInput& error) {
    throw BadInput(std::string(error.what()) + ": is this a machine that submits to Slurm?");
  }
  const Captured captured = run_and_capture(program, words);
  if (captured.exit_code == 0) return captured.output;
  throw CommandError(kFarmUnreachable, name + " ended with code " + std::to_string(captured.exit_code) + ": " +
                                           captured.errors.substr(0, captured.errors.find_last_not_of('\n') + 1));
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
