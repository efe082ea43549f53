#include <sstream>

#include "cli/slurm/bodies.hpp"
#include "cli/slurm/plan.hpp"
#include "posix/mpirun.hpp"

namespace reelfarm::cli {
namespace {

using Words = std::vector<std::string>;

/// The lines of a script that sbatch reads.
class Header {
 public:
  Header(const SlurmPlan& plan, const std::string& name, const std::string& what) {
    text_ << "#!/bin/bash\n# " << what
          << "\n# Written by reelfarm slurm submit; edit it as you like and submit it with sbatch.\n";
    line("job-name", name);
    // %x job name, %j its number, which stays the same when it is queued again.
    line("output", (plan.data / "logs" / "slurm-%x-%j.log").string());
    line("open-mode", "append");
    flag("requeue");
    line("signal", "B:USR1@" + std::to_string(plan.drain_s));
    for (const auto& [option, value] :
         {std::pair("time", plan.time), std::pair("partition", plan.partition), std::pair("account", plan.account),
          std::pair("reservation", plan.reservation)}) {
      if (!value.empty()) line(option, value);
    }
  }
  void line(const std::string& option, const std::string& value) {
    text_ << "#SBATCH --" << option << "=" << value << "\n";
  }
  void line(const std::string& option, std::int64_t value) { line(option, std::to_string(value)); }
  void flag(const std::string& option) { text_ << "#SBATCH --" << option << "\n"; }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
};

std::string setting(const std::string& name, const std::string& value) {
  return name + "=" + shell_quoted(value) + "\n";
}

std::string setting(const std::string& name, const Words& words) {
  std::string line = name + "=(";
  for (const std::string& word : words) line += (line.back() == '(' ? "" : " ") + shell_quoted(word);
  return line + ")\n";
}

/// How a program is started on a node: from where this one lies, or out of the image.
Words program(const SlurmPlan& plan, const std::string& name) {
  if (plan.container.empty()) return {(plan.programs / name).string()};
  Words words = {"apptainer", "exec"};
  if (plan.gpus_per_node > 0) words.emplace_back("--nv");
  for (const auto& folder : {plan.data, plan.bundle, plan.stage}) {
    if (!folder.empty()) words.insert(words.end(), {"--bind", folder.string()});
  }
  words.insert(words.end(), {plan.container.string(), name});
  return words;
}

std::string launcher(const SlurmPlan& plan) {
  // --kill-on-bad-exit: without it the others of a step wait for a rank that has died. --wait: and not for long.
  if (plan.use_srun) return "srun --mpi=pmix --kill-on-bad-exit=1 --wait=10 --cpu-bind=none";
  std::string text = posix::mpirun_words();
  if (plan.nodes > 1) text += " --map-by ppr:" + std::to_string(plan.ranks_per_node) + ":node";
  return text;
}

}  // namespace

std::string farm_script(const SlurmPlan& plan) {
  Header header(plan, plan.job_name(), "Reelfarm: Redis, coordinator and stitcher");
  // Two farms on one DATA would wait for each other's lock; Slurm starts the second when the first has ended.
  header.line("dependency", "singleton");
  header.line("nodes", 1);
  header.line("ntasks", 1);
  return header.text() + "\n# Settings\n" + setting("data", plan.data.string()) +
         setting("reelfarm", program(plan, "reelfarm")) + setting("takeover", std::to_string(plan.takeover_s)) +
         setting("up_options", plan.farm_options) + "\n" + std::string(kSignals) + std::string(kFarmBody);
}

std::string group_script(const SlurmPlan& plan) {
  Header header(plan, plan.group_job_name(),
                "Reelfarm: worker groups, " + std::to_string(plan.groups_per_job) + " per task of the array");
  header.line("array", "0-" + std::to_string(plan.jobs_for(plan.groups) - 1) +
                           (plan.at_once > 0 ? "%" + std::to_string(plan.jobs_for(plan.at_once)) : ""));
  header.line("nodes", plan.nodes);
  header.line("ntasks-per-node", plan.groups_per_job * plan.ranks_per_node);
  if (plan.cpus_per_rank > 0) header.line("cpus-per-task", plan.cpus_per_rank);
  if (plan.gpus_per_node > 0) header.line("gpus-per-node", plan.gpus_per_node);
  return header.text() + "\n# Settings\n" + setting("data", plan.data.string()) +
         setting("bundle", plan.bundle.string()) + setting("stage", plan.stage.string()) +
         setting("worker", program(plan, "reelfarm-worker")) + setting("groups", std::to_string(plan.groups_per_job)) +
         setting("ranks", std::to_string(plan.nodes * plan.ranks_per_node)) + setting("launcher", launcher(plan)) +
         setting("idle_exit", std::to_string(plan.idle_exit_s)) + setting("worker_options", plan.worker_options) +
         "\n" + std::string(kSignals) + std::string(kGroupBody);
}

}  // namespace reelfarm::cli
