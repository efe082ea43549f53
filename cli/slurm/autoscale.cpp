#include "cli/slurm/autoscale.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "cli/command.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/interrupt.hpp"
#include "cli/slurm/plan.hpp"
#include "cli/slurm/queue.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::cli {
namespace {

/// Those that are there or will be; a job that is ending takes no work any more.
std::vector<SlurmJob> standing_groups(const SlurmPlan& plan) {
  std::vector<SlurmJob> jobs = slurm::jobs_named(plan.group_job_name());
  std::erase_if(jobs, [](const SlurmJob& job) { return job.state != "PENDING" && job.state != "RUNNING"; });
  return jobs;
}

/// Waiting jobs that are not needed any more; running ones end by --idle-exit.
std::vector<std::string> surplus(const std::vector<SlurmJob>& jobs, std::int64_t wanted) {
  auto over = static_cast<std::int64_t>(jobs.size()) - wanted;
  std::vector<std::string> ids;
  for (auto job = jobs.rbegin(); job != jobs.rend() && over > 0; ++job) {
    if (job->state != "PENDING") continue;
    ids.push_back(job->id);
    --over;
  }
  return ids;
}

void submit(const SlurmPlan& plan, std::int64_t count) {
  std::vector<std::string> words = plan.sbatch_options;
  words.insert(words.end(), {"--array=0-" + std::to_string(count - 1), plan.group_script().string()});
  std::printf("jobs of groups %s: %lld more\n", slurm::sbatch(words).c_str(), static_cast<long long>(count));
}

void look(const SlurmPlan& plan, const AutoscaleLimits& limits, queue::JobStore& store) {
  const Backlog backlog = read_backlog(store);
  const std::int64_t wanted = plan.jobs_for(wanted_groups(backlog, limits));
  const std::vector<SlurmJob> jobs = standing_groups(plan);
  const auto there = static_cast<std::int64_t>(jobs.size());
  if (wanted > there) submit(plan, wanted - there);
  const std::vector<std::string> needless = surplus(jobs, wanted);
  slurm::scancel(needless);
  if (!needless.empty())
    std::printf("%zu waiting jobs of groups cancelled: %lld are wanted\n", needless.size(),
                static_cast<long long>(wanted));
  std::fflush(stdout);
}

}  // namespace

int run_slurm_autoscale(const Arguments& arguments) {
  SlurmPlan plan = read_slurm_plan(arguments);
  // Nobody else takes back a group that has nothing to do.
  if (plan.idle_exit_s == 0) plan.idle_exit_s = 300;
  AutoscaleLimits limits;
  limits.least = arguments.integer("min", 0, 0, 10000);
  // Jobs come and go whole.
  constexpr std::int64_t kUsualMost = 4;
  limits.most = arguments.integer("max", plan.jobs_for(kUsualMost) * plan.groups_per_job, 1, 10000);
  limits.worth_s = static_cast<double>(arguments.integer("worth", 600, 1, 86400));
  const std::chrono::seconds pause(arguments.integer("every", 30, 1, 86400));
  if (limits.least > limits.most) throw BadInput("--min is above --max");
  if (limits.most % plan.groups_per_job != 0) {
    throw BadInput("--max " + std::to_string(limits.most) + " is no multiple of the " +
                   std::to_string(plan.groups_per_job) + " groups of a job: jobs come and go whole");
  }
  artifacts::create_folders(plan.data / "logs");
  artifacts::create_folders(plan.group_script().parent_path());
  artifacts::write_file_durably(plan.group_script(), group_script(plan));
  const InterruptGuard guard;
  std::optional<queue::JobStore> store;
  std::string trouble;
  while (!guard.interrupted()) {
    try {
      if (!store) store.emplace(connect(arguments, data_folder(arguments)));
      look(plan, limits, *store);
      trouble.clear();
    } catch (const std::exception& error) {
      if (arguments.flag("once")) throw;
      // A farm that moves, a controller that restarts: the next look finds them.
      if (trouble != error.what()) std::fprintf(stderr, "reelfarm: %s\n", error.what());
      trouble = error.what();
      store.reset();
    }
    if (arguments.flag("once")) break;
    for (auto left = pause; left.count() > 0 && !guard.interrupted(); --left)
      std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return kDone;
}

}  // namespace reelfarm::cli
