#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "cli/detach.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/farm_file.hpp"
#include "cli/gpus.hpp"
#include "cli/siblings.hpp"
#include "cli/supervisor.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxGroups = 64;
constexpr std::int64_t kMaxRanks = 1024;
constexpr std::int64_t kMaxThreads = 4096;

fs::path bundle_folder(const Arguments& arguments) {
  if (arguments.has("bundle")) {
    fs::path bundle = fs::absolute(arguments.text("bundle")).lexically_normal();
    if (!fs::is_directory(bundle)) throw BadInput("--bundle " + bundle.string() + " is not a folder");
    return bundle;
  }
  const fs::path in_build_tree = (program_folder() / "../../../bundles/demo").lexically_normal();
  const fs::path installed = (program_folder() / "../share/reelfarm/bundles/demo").lexically_normal();
  for (const fs::path& candidate : {in_build_tree, installed}) {
    if (fs::is_directory(candidate)) return candidate;
  }
  throw BadInput("no --bundle is given and there is no demo bundle (looked at " + in_build_tree.string() + " and " +
                 installed.string() + "): name the folder with the weights");
}

/// The program that gets the option checks it.
void pass_on(const char* name, const Arguments& arguments, ChildPlan& plan) {
  if (arguments.has(name))
    plan.arguments.insert(plan.arguments.end(), {std::string("--") + name, arguments.text(name)});
}

ChildPlan service(const std::string& name, const Arguments& arguments, const queue::DataFolder& data) {
  ChildPlan plan{name, find_sibling("reelfarm-" + name), {"--data", data.root().string()}};
  if (arguments.has("farm")) plan.arguments.insert(plan.arguments.end(), {"--farm", arguments.text("farm")});
  if (arguments.flag("allow-volatile")) plan.arguments.emplace_back("--allow-volatile");
  pass_on("log-format", arguments, plan);
  return plan;
}

/// Groups of one GPU render the most videos an hour; more GPUs in a group make each come sooner (docs/parallel.md). A
/// build without CUDA kernels renders on the CPU, whatever GPUs there are.
std::int64_t default_groups(const Arguments& arguments, std::int64_t ranks) {
  const std::string device = arguments.text("device", "auto");
  const bool on_gpus =
      (device == "auto" || device == "cuda") && fs::exists(program_folder() / "../lib/libreelfarm_cuda.so");
  if (!on_gpus) return 1;
  return std::clamp<std::int64_t>(count_gpus(std::getenv("CUDA_VISIBLE_DEVICES")) / ranks, 1, kMaxGroups);
}

std::vector<ChildPlan> worker_plans(const Arguments& arguments, const queue::DataFolder& data) {
  const std::int64_t ranks = arguments.integer("ranks", 1, 1, kMaxRanks);
  const std::int64_t groups = arguments.integer("groups", default_groups(arguments, ranks), 0, kMaxGroups);
  if (groups == 0) return {};
  const fs::path bundle = bundle_folder(arguments);
  check_hours(arguments);
  const std::int64_t cores = std::max(1U, std::thread::hardware_concurrency());
  // Of all ranks of the machine, not of one group's: groups render at the same time.
  const std::int64_t threads =
      arguments.integer("threads", std::max<std::int64_t>(1, cores / (groups * ranks)), 1, kMaxThreads);
  std::vector<ChildPlan> plans;
  for (std::int64_t group = 0; group < groups; ++group) {
    ChildPlan plan = service("worker", arguments, data);
    plan.name += "-" + std::to_string(group);
    auto& words = plan.arguments;
    words.insert(words.end(), {"--bundle", bundle.string(), "--ranks", std::to_string(ranks), "--threads",
                               std::to_string(threads), "--gpu", std::to_string(group * ranks)});
    for (const char* name : {"device", "dtype", "mesh", "tiles", "max-memory", "settle", "hours"})
      pass_on(name, arguments, plan);
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::string running_already(const queue::DataFolder& data) {
  const auto file = read_farm_file(data);
  return "a farm is running on " + data.root().string() + " already" +
         (file ? " (process " + std::to_string(file->pid) + ", " + file->redis + ")" : "") +
         ": stop it with 'reelfarm down', or give another --data";
}

void make_folders(const queue::DataFolder& data) {
  for (const fs::path& folder : {data.root(), data.run(), data.logs(), data.jobs(), data.inputs(), data.videos()}) {
    artifacts::create_folders(folder);
  }
}

std::chrono::seconds takeover(const Arguments& arguments) {
  return std::chrono::seconds(arguments.integer("takeover", 0, 0, 86400));
}

int free_port() {
  const int descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  auto* const general = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      descriptor >= 0 && ::bind(descriptor, general, size) == 0 && ::getsockname(descriptor, general, &size) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!found) throw BadInput("--redis-listen: no free port: name one, as HOST:PORT");
  return ntohs(address.sin6_port);
}

/// The password stays the same wherever the farm moves: groups that wait for it know it.
void open_to_others(const Arguments& arguments, const queue::DataFolder& data, queue::PrivateRedisOptions& redis,
                    SupervisorOptions& options) {
  const std::string text = arguments.text("redis-listen");
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && text.find(':') == colon;
  options.redis_host = text.substr(0, has_port ? colon : std::string::npos);
  if (options.redis_host.empty()) throw BadInput("--redis-listen '" + text + "': expected HOST or HOST:PORT");
  redis.port =
      has_port ? static_cast<int>(parse_integer("--redis-listen port", text.substr(colon + 1), 1, 65535)) : free_port();
  redis.every_interface = true;
  artifacts::create_folders(data.redis());
  redis.password = queue::kept_password(data.redis() / "password");
}

SupervisorOptions plan_farm(const Arguments& arguments, const queue::DataFolder& data) {
  SupervisorOptions options;
  options.data = data;
  options.store.url = arguments.text("redis");
  options.store.farm = arguments.text("farm", options.store.farm);
  options.store.allow_volatile = arguments.flag("allow-volatile");
  options.detached = arguments.flag("detach");
  options.echo = !options.detached;
  if (options.store.url.empty()) {
    queue::PrivateRedisOptions redis;
    redis.directory = data.redis();
    redis.lock_patience = std::max<std::chrono::milliseconds>(redis.lock_patience, takeover(arguments));
    if (arguments.has("redis-listen")) open_to_others(arguments, data, redis, options);
    options.redis = redis;
  } else if (arguments.has("redis-listen")) {
    throw BadInput("--redis-listen is about this farm's own Redis, and --redis names another");
  }
  ChildPlan coordinator = service("coordinator", arguments, data);
  if (arguments.has("output-root")) {
    coordinator.arguments.insert(coordinator.arguments.end(),
                                 {"--output-root", fs::absolute(arguments.text("output-root")).string()});
  }
  for (const char* name : {"high-water", "listen"}) pass_on(name, arguments, coordinator);
  for (const char* name : {"token-file", "notify"}) {
    if (!arguments.has(name)) continue;
    coordinator.arguments.insert(coordinator.arguments.end(),
                                 {std::string("--") + name, fs::absolute(arguments.text(name)).string()});
  }
  ChildPlan stitcher = service("stitcher", arguments, data);
  pass_on("settle", arguments, stitcher);
  options.services = {std::move(coordinator), std::move(stitcher)};
  options.workers = worker_plans(arguments, data);
  return options;
}

std::string ready_text(const SupervisorOptions& options, const std::string& page) {
  const std::string groups = options.workers.empty() ? "no" : std::to_string(options.workers.size());
  return "reelfarm: the farm is up with " + groups + (options.workers.size() == 1 ? " group" : " groups") +
         (options.workers.empty() ? " of its own" : "") + ", data in " + options.data.root().string() +
         (page.empty() ? "" : ", page at " + page + "/") + "; " +
         (options.detached ? "stop it with 'reelfarm down --data " + options.data.root().string() + "'"
                           : "Ctrl-C drains and stops it");
}

/// Runs the farm, and tells the terminal that waits for it how the start went.
int supervise(SupervisorOptions options, std::optional<artifacts::FileLock> lock, ReadyPipe* terminal) {
  const fs::path farm_file = options.data.farm_file();
  const auto failed = [&](int code, const std::string& text) {
    std::error_code ignored;
    fs::remove(farm_file, ignored);
    // Before the terminal hears of it: what is typed there next may be another try.
    lock.reset();
    if (terminal) terminal->report(code, "reelfarm: " + text);
    std::fprintf(stderr, "reelfarm: %s\n", text.c_str());
    return code;
  };
  try {
    Supervisor supervisor(options);
    supervisor.on_ready = [&] {
      const std::string ready = ready_text(options, supervisor.page());
      if (terminal) terminal->report(kDone, ready);
      std::fprintf(stderr, "%s\n", ready.c_str());
    };
    supervisor.run();
  } catch (const BadInput& error) {
    return failed(kBadInput, error.what());
  } catch (const CommandError& error) {
    return failed(error.code(), error.what());
  } catch (const queue::ConnectionError& error) {
    return failed(kFarmUnreachable, error.what());
  } catch (const queue::Error& error) {
    return failed(kBadInput, error.what());
  } catch (const artifacts::ArtifactError& error) {
    return failed(kBadInput, error.what());
  } catch (const std::exception& error) {
    return failed(kInternalError, error.what());
  }
  lock.reset();
  if (terminal) terminal->report(kInterrupted, "reelfarm: the farm was stopped while it came up");
  return kDone;
}

}  // namespace

int run_up(const Arguments& arguments) {
  const queue::DataFolder data = data_folder(arguments);
  make_folders(data);
  // Taken before the farm goes to the background: the process there inherits it.
  auto lock = take_up_lock(data, takeover(arguments));
  if (!lock) throw BadInput(running_already(data));
  SupervisorOptions options = plan_farm(arguments, data);
  if (!options.detached) return supervise(std::move(options), std::move(lock), nullptr);
  ReadyPipe terminal = go_to_background(data.logs() / "up.log");
  return supervise(std::move(options), std::move(lock), &terminal);
}

}  // namespace reelfarm::cli
