#include "worker/agent/options.hpp"
#include "queue/host_name.hpp"

#include <unistd.h>

#include <boost/program_options.hpp>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "posix/mpirun.hpp"

namespace reelfarm::worker {
namespace {

namespace po = boost::program_options;

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::filesystem::path beside_this_program(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

std::string from_environment(const std::string& name) {
  // REELFARM_MAX_LEASES stands for --max-leases; only names that are options count.
  if (!name.starts_with("REELFARM_")) return {};
  std::string option = name.substr(9);
  for (char& letter : option) letter = letter == '_' ? '-' : static_cast<char>(std::tolower(letter));
  static const std::vector<std::string> known = {"redis",      "data",   "bundle",    "ranks",   "launcher",
                                                 "mesh",       "device", "dtype",     "threads", "farm",
                                                 "log-format", "hours",  "max-memory"};
  return std::find(known.begin(), known.end(), option) != known.end() ? option : std::string();
}

}  // namespace

std::optional<WorkerCommand> read_options(int argc, char** argv) {
  WorkerCommand command;
  AgentOptions& agent = command.agent;
  std::string launcher;
  std::string bundle;
  std::string data;
  std::string device;
  std::string dtype;
  std::string mesh;
  std::string tiles, max_memory;
  std::string ranks_program;
  int threads = 0;
  int gpu = 0;
  std::string hours;
  double lease_s = 0;
  double settle_s = 0;
  double first_deadline_s = 0;
  double floor_deadline_s = 0;
  double wait_s = 0;
  double idle_s = 0;

  po::options_description options(
      "reelfarm-worker: the agent of one worker group. Leases windows, starts and watches reelfarm-ranks under MPI.\n"
      "Never start it under mpirun itself. SIGTERM drains (the running step is finished), a second one "
      "kills.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("redis", po::value(&agent.store.url)->required(),
      "the farm's queue: redis://[:PASSWORD@]HOST:PORT[/DB], unix:///PATH, or file:///PATH of a file with one of "
      "these, read at every connect");
  add("data", po::value(&data)->required(), "the farm's data folder");
  add("bundle", po::value(&bundle)->required(), "folder with the weights");
  add("ranks", po::value(&agent.launch.ranks)->default_value(1), "MPI ranks of the group");
  add("launcher", po::value(&launcher)->default_value(posix::mpirun_words()),
      "what starts the ranks; '-n RANKS PROGRAM ...' is added");
  add("mesh", po::value(&mesh), "ulysses x ring, as UxR");
  add("device", po::value(&device)->default_value("auto"), "auto, cpu or cuda");
  add("gpu", po::value(&gpu)->default_value(0),
      "place of the first rank among the visible GPUs, counted round; the other ranks take those after it");
  add("dtype", po::value(&dtype)->default_value("auto"), "auto, fp32, bf16, fp8, int8 or w8a8");
  add("threads", po::value(&threads)->default_value(0), "CPU threads a rank; 0: cores / ranks");
  add("tiles", po::value(&tiles), "tile plan of the VAE; auto unless given");
  add("max-memory", po::value(&max_memory), "of each GPU, such as 16G; all of it unless given");
  add("farm", po::value(&agent.store.farm)->default_value(agent.store.farm), "name of the farm in a shared Redis");
  add("allow-volatile", po::bool_switch(&agent.store.allow_volatile), "accept a Redis without persistence");
  add("lease", po::value(&lease_s)->default_value(15), "seconds a lease lasts without a sign of life");
  add("settle", po::value(&settle_s)->default_value(60),
      "seconds before a published file that cannot be found or read is made again: a network file system may show it "
      "late");
  add("first-deadline", po::value(&first_deadline_s)->default_value(300),
      "seconds without a tick after which ranks count as hung, in a phase without history");
  add("least-deadline", po::value(&floor_deadline_s)->default_value(20),
      "the shortest such deadline once there is history");
  add("wait-for-farm", po::value(&wait_s)->default_value(0),
      "seconds to wait at the start for a Redis that cannot be reached");
  add("idle-exit", po::value(&idle_s)->default_value(0), "end after so many seconds with nothing to do; 0: never");
  add("hours", po::value(&hours),
      "times of day at which the group works, as 20:00-07:00, several with commas between, in this machine's time "
      "zone; "
      "outside them it finishes its step, gives back what it holds, and waits");
  add("ranks-program", po::value(&ranks_program)->default_value(beside_this_program("reelfarm-ranks").string()),
      "the program that the launcher starts");
  add("log-format", po::value(&command.log_format)->default_value(logging::Format::text, "text"),
      "text, or json: one object a line");
  add("host", po::value(&agent.host)->default_value(queue::host_name()), "this machine's name in the farm");

  po::variables_map values;
  try {
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.contains("help")) {
      std::cout << options;
      return std::nullopt;
    }
    po::store(po::parse_environment(options, from_environment), values);
    po::notify(values);
  } catch (const po::error& error) {
    throw OptionError(error.what());
  }
  if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr) {
    throw OptionError("this is the agent, it starts mpirun itself; start it once, without mpirun");
  }
  if (agent.launch.ranks < 1 || agent.launch.ranks > 1024) {
    throw OptionError("--ranks " + std::to_string(agent.launch.ranks) + ": expected 1 to 1024");
  }
  if (gpu < 0) throw OptionError("--gpu " + std::to_string(gpu) + ": expected 0 or more");
  if (threads < 0) throw OptionError("--threads " + std::to_string(threads) + ": expected 0 or more");
  if (!(lease_s >= 1)) throw OptionError("--lease: expected at least 1 second");
  if (!(settle_s >= 0 && settle_s <= 3600)) throw OptionError("--settle: expected 0 to 3600 seconds");
  for (const auto& [name, value] : {std::pair("--wait-for-farm", wait_s), std::pair("--idle-exit", idle_s)}) {
    if (!(value >= 0 && value <= 1e7)) throw OptionError(std::string(name) + ": expected 0 to 10000000 seconds");
  }
  if (!hours.empty()) {
    try {
      agent.hours.emplace(hours);
    } catch (const std::invalid_argument& error) {
      throw OptionError(error.what());
    }
  }
  agent.launch.launcher = split_words(launcher);
  if (agent.launch.launcher.empty()) throw OptionError("--launcher is empty: expected a program such as mpirun");

  using Seconds = std::chrono::duration<double>;
  agent.store.lease = std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(lease_s));
  agent.store.retry.input_settle = std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(settle_s));
  agent.deadlines.first = std::chrono::duration_cast<PhaseDeadlines::Duration>(Seconds(first_deadline_s));
  agent.deadlines.floor = std::chrono::duration_cast<PhaseDeadlines::Duration>(Seconds(floor_deadline_s));
  agent.idle_exit = std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(idle_s));
  command.wait_for_farm = std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(wait_s));
  agent.data = std::filesystem::absolute(data);
  command.bundle = std::filesystem::absolute(bundle);
  command.bundle_program = beside_this_program("reelfarm-bundle");
  agent.launch.program = ranks_program;
  auto& arguments = agent.launch.arguments;
  arguments = {
      "--bundle",  command.bundle.string(), "--data", agent.data.string(), "--device", device, "--dtype", dtype,
      "--threads", std::to_string(threads), "--gpu",  std::to_string(gpu)};
  if (command.log_format == logging::Format::json) arguments.insert(arguments.end(), {"--log-format", "json"});
  if (!mesh.empty()) arguments.insert(arguments.end(), {"--mesh", mesh});
  if (!max_memory.empty()) arguments.insert(arguments.end(), {"--max-memory", max_memory});
  if (!tiles.empty()) arguments.insert(arguments.end(), {"--tiles", tiles});
  return command;
}

}  // namespace reelfarm::worker
