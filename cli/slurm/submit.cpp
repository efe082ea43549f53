#include <cstdio>

#include "cli/command.hpp"
#include "cli/slurm/plan.hpp"
#include "cli/slurm/queue.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

void write_script(const fs::path& path, const std::string& text) {
  artifacts::create_folders(path.parent_path());
  artifacts::write_file_durably(path, text);
}

std::vector<std::string> command(const SlurmPlan& plan, const fs::path& script) {
  std::vector<std::string> words = plan.sbatch_options;
  words.push_back(script.string());
  return words;
}

void show(const SlurmPlan& plan, const fs::path& script, const std::string& text) {
  std::string line = "sbatch";
  for (const std::string& word : command(plan, script)) line += " " + shell_quoted(word);
  std::printf("# %s, submitted by: %s\n%s\n", script.c_str(), line.c_str(), text.c_str());
}

}  // namespace

int run_slurm_submit(const Arguments& arguments) {
  const SlurmPlan plan = read_slurm_plan(arguments);
  const bool with_farm = !arguments.flag("only-groups");
  if (arguments.flag("dry-run")) {
    if (with_farm) show(plan, plan.farm_script(), farm_script(plan));
    show(plan, plan.group_script(), group_script(plan));
    return 0;
  }
  // sbatch opens the logs before anything of the farm runs.
  artifacts::create_folders(plan.data / "logs");
  if (with_farm) {
    write_script(plan.farm_script(), farm_script(plan));
    const auto there = slurm::jobs_named(plan.job_name());
    if (there.empty()) {
      std::printf("farm %s\n", slurm::sbatch(command(plan, plan.farm_script())).c_str());
    } else {
      std::printf("farm %s (is in the queue already)\n", there.front().id.c_str());
    }
  }
  write_script(plan.group_script(), group_script(plan));
  std::printf("groups %s\n", slurm::sbatch(command(plan, plan.group_script())).c_str());
  return 0;
}

}  // namespace reelfarm::cli
