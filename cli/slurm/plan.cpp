#include "cli/slurm/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/siblings.hpp"
#include "coordinator/http/address.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/http/token.hpp"
#include "pipeline/artifacts/sha256.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = 10000;
constexpr std::int64_t kMostOnNode = 1024;
constexpr std::int64_t kDay_s = 86400;

fs::path existing(const Arguments& arguments, const std::string& name, bool folder) {
  fs::path path = fs::absolute(arguments.text(name)).lexically_normal();
  if (folder ? !fs::is_directory(path) : !fs::exists(path)) {
    throw BadInput("--" + name + " " + path.string() + (folder ? " is not a folder" : " is not there"));
  }
  return path;
}

void check_line(const std::string& name, const std::string& text) {
  // In a script's #SBATCH line nothing can be quoted.
  if (text.find_first_of(" \t\r\n\"'\\") == std::string::npos) return;
  throw BadInput("--" + name + " '" + text + "': may hold no blanks, quotes or backslashes");
}

/// Blanks cannot be written into a #SBATCH line, where log files are named.
void check_data(const fs::path& data) {
  check_line("data", data.string());
  if (data.string().find('%') != std::string::npos)
    throw BadInput("--data may hold no '%', which means something to Slurm");
}

/// Of several groups in one job.
void check_shared_job(const SlurmPlan& plan) {
  if (plan.groups_per_job == 1) return;
  const std::string text = "--groups-per-job " + std::to_string(plan.groups_per_job);
  if (plan.nodes > 1 || plan.use_srun) {
    throw BadInput(text + " with --nodes above 1 or --launcher srun: groups share the GPUs of one node, by mpirun");
  }
  for (const auto& [name, count] : {std::pair("groups", plan.groups), std::pair("at-once", plan.at_once)}) {
    if (count % plan.groups_per_job == 0) continue;
    throw BadInput("--" + std::string(name) + " " + std::to_string(count) + ": a job holds " +
                   std::to_string(plan.groups_per_job) + " groups of " + std::to_string(plan.ranks_per_node) +
                   " rank(s), and it must be a multiple of that; --ranks-per-node and --groups-per-job change it");
  }
  if (plan.gpus_per_node > 0 && plan.groups_per_job * plan.ranks_per_node > plan.gpus_per_node) {
    throw BadInput(text + " of " + std::to_string(plan.ranks_per_node) + " ranks are more than --gpus-per-node " +
                   std::to_string(plan.gpus_per_node));
  }
}

/// Groups of one GPU render the most videos an hour (docs/parallel.md), as `reelfarm up` has it.
std::int64_t default_groups_per_job(const Arguments& arguments, const SlurmPlan& plan) {
  if (plan.nodes > 1 || plan.use_srun) return 1;
  return std::max<std::int64_t>(1, plan.gpus_per_node / arguments.integer("ranks-per-node", 1, 1, kMostOnNode));
}

/// What the ranks would refuse once their job runs; whether the mesh suits the weights, they know.
void check_mesh(const std::string& mesh, std::int64_t ranks) {
  if (mesh.empty()) return;
  std::istringstream stream(mesh);
  std::int64_t ulysses = 0;
  std::int64_t ring = 0;
  char cross = 0;
  const bool read = stream >> ulysses >> cross >> ring && cross == 'x' && stream.peek() == EOF;
  if (read && ulysses > 0 && ring > 0 && ranks % ulysses == 0 && ranks / ulysses == ring) return;
  throw BadInput("--mesh " + mesh + " (ulysses x ring) is no mesh of the " + std::to_string(ranks) +
                 " rank(s) of a group: --ranks-per-node says how many they are on a node");
}

void check_operands(const std::vector<std::string>& operands) {
  if (operands.empty() || operands.front().starts_with("-")) return;
  throw BadInput("unexpected '" + operands.front() + "': options of sbatch stand behind '--'");
}

/// The page of the farm's job. What its coordinator would refuse is refused before a job waits in a queue for it.
void add_page(const Arguments& arguments, std::vector<std::string>& options) try {
  if (!arguments.has("listen")) return;
  const std::string listen = arguments.text("listen");
  options.insert(options.end(), {"--listen", listen});
  if (arguments.has("token-file")) {
    const fs::path file = existing(arguments, "token-file", false);
    http::Token::from_file(file);
    options.insert(options.end(), {"--token-file", file.string()});
  } else if (!http::parse_address(listen).is_loopback()) {
    throw BadInput("--listen " + listen + ", which other machines can reach, needs a token: --token-file FILE");
  }
} catch (const http::SetupError& error) {
  throw BadInput(error.what());
}

}  // namespace

std::string SlurmPlan::job_name() const {
  return "reelfarm-" + artifacts::sha256_of(data.string()).substr(0, 8);
}

std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char letter : word) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted + "'";
}

SlurmPlan read_slurm_plan(const Arguments& arguments) {
  SlurmPlan plan;
  plan.data = data_folder(arguments).root();
  check_data(plan.data);
  plan.programs = program_folder();
  if (!arguments.has("bundle")) throw BadInput("--bundle is missing: name the folder with the weights");
  plan.bundle = existing(arguments, "bundle", true);
  if (arguments.has("container")) plan.container = existing(arguments, "container", false);
  if (arguments.has("stage")) plan.stage = arguments.text("stage");
  if (!plan.stage.empty() && !plan.stage.is_absolute())
    throw BadInput("--stage must be an absolute path, on each node");
  const std::string launcher = arguments.text("launcher", "mpirun");
  if (launcher != "mpirun" && launcher != "srun")
    throw BadInput("--launcher '" + launcher + "': expected mpirun or srun");
  plan.use_srun = launcher == "srun";
  plan.nodes = arguments.integer("nodes", plan.nodes, 1, kMost);
  plan.gpus_per_node = arguments.integer("gpus-per-node", plan.gpus_per_node, 0, kMostOnNode);
  plan.groups_per_job = arguments.integer("groups-per-job", default_groups_per_job(arguments, plan), 1, kMostOnNode);
  plan.groups = arguments.integer("groups", plan.groups_per_job, 1, kMost);
  plan.at_once = arguments.integer("at-once", plan.at_once, 0, kMost);
  plan.ranks_per_node = arguments.integer(
      "ranks-per-node", std::max<std::int64_t>(1, plan.gpus_per_node / plan.groups_per_job), 1, kMostOnNode);
  check_mesh(arguments.text("mesh"), plan.nodes * plan.ranks_per_node);
  plan.cpus_per_rank = arguments.integer("cpus-per-rank", plan.cpus_per_rank, 0, kMostOnNode);
  plan.drain_s = arguments.integer("drain", plan.drain_s, 1, kDay_s);
  plan.idle_exit_s = arguments.integer("idle-exit", plan.idle_exit_s, 0, 100 * kDay_s);
  if (!plan.container.empty() && (plan.nodes > 1 || plan.use_srun)) {
    throw BadInput(
        "--container with --nodes above 1 or --launcher srun: the MPI inside an image starts ranks on its own "
        "node only");
  }
  check_shared_job(plan);
  for (auto [name, place] : {std::pair("time", &plan.time), std::pair("partition", &plan.partition),
                             std::pair("account", &plan.account), std::pair("reservation", &plan.reservation)}) {
    *place = arguments.text(name);
    check_line(name, *place);
  }
  const auto pass_on = [&](const char* name, std::vector<std::string>& options) {
    if (arguments.has(name)) options.insert(options.end(), {std::string("--") + name, arguments.text(name)});
  };
  check_hours(arguments);
  for (const char* name :
       {"device", "dtype", "max-memory", "mesh", "tiles", "threads", "settle", "farm", "hours", "log-format"}) {
    pass_on(name, plan.worker_options);
  }
  for (const char* name : {"high-water", "output-root", "settle", "farm", "log-format"}) {
    pass_on(name, plan.farm_options);
  }
  add_page(arguments, plan.farm_options);
  if (arguments.has("notify")) {
    plan.farm_options.insert(plan.farm_options.end(), {"--notify", existing(arguments, "notify", false).string()});
  }
  check_operands(arguments.operands());
  plan.sbatch_options = arguments.operands();
  return plan;
}

}  // namespace reelfarm::cli
