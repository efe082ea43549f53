// What one coordinator and one Redis carry: by default 10,000 jobs of 12 windows and 200 groups.
//
//   bench_farm [JOBS] [GROUPS]
//
// A redis-server with an append-only file (fsync every second), the real reelfarm-coordinator with its page, simulated
// groups and stitchers that speak the protocol and take no time to render, and a client that looks at the page all the
// while. Prints rates, the processors' seconds and memory of the coordinator and of Redis, and the page's latency;
// beside them PING on one connection, which no transition can outrun.
//
// Below TMPDIR, on a disk with as much room as the coordinator reserves for all jobs, 15 MiB each, of which next to
// nothing is written: a sparse file as a loop device will do.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/farm/measured_process.hpp"
#include "bench/farm/page_client.hpp"
#include "bench/farm/simulated_workers.hpp"
#include "bench/support/timing.hpp"
#include "queue/data_folder.hpp"
#include "queue/private_redis.hpp"

namespace reelfarm::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWindows = 12;
constexpr int kFramesOfAWindow = 16;  ///< 17 with an overlap of 1
constexpr int kStitchers = 4;
constexpr int kThreads = 4;
constexpr int kBatch = 500;
constexpr double kStretchSeconds = 15;

double part(std::vector<double> values, double quantile) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1))];
}

http::Address page_of(const queue::DataFolder& data) {
  for (;;) {
    std::ifstream file(data.coordinator_file());
    const auto document = nlohmann::json::parse(file, nullptr, false);
    if (document.is_object() && document.contains("page")) {
      return http::parse_address(document["page"].get<std::string>().substr(std::string("http://").size()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void submit(queue::JobStore& store, int jobs) {
  for (int sent = 0; sent < jobs; sent += kBatch) {
    std::vector<queue::JobSpec> specs(static_cast<std::size_t>(std::min(kBatch, jobs - sent)));
    for (queue::JobSpec& spec : specs) {
      spec.prompt = "a red kite over a lake";
      spec.frames = kWindows * kFramesOfAWindow + 1;
    }
    store.submit_batch(specs);
  }
}

/// Without that the last jobs would wait for ever.
void require_room(const std::filesystem::path& folder, int jobs) {
  constexpr std::uintmax_t kReservedForOne = std::uintmax_t{15} << 20;
  const std::uintmax_t needed = kReservedForOne * static_cast<std::uintmax_t>(jobs);
  const std::uintmax_t free = std::filesystem::space(folder).available;
  if (free > needed) return;
  std::fprintf(stderr, "bench_farm: %d jobs need %ju MiB free in %s, and there are %ju: set TMPDIR, or ask for fewer\n",
               jobs, needed >> 20, folder.c_str(), free >> 20);
  std::exit(2);
}

/// By the jobs' states: a look at the head of the inbox finds nothing while its first entry is just being accepted.
void wait_until_accepted(queue::JobStore& store) {
  queue::JobQuery submitted;
  submitted.states = {queue::JobState::submitted};
  submitted.limit = 1;
  while (!store.list_jobs(submitted).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

double ping_rate(queue::JobStore& store) {
  constexpr int kPings = 5000;
  const auto start = Clock::now();
  for (int i = 0; i < kPings; ++i) store.now();
  return kPings / seconds_since(start);
}

void print_usage(const char* what, const Usage& before, const Usage& after, double seconds) {
  const double used = after.cpu_seconds - before.cpu_seconds;
  std::printf("%-12s %8.1f s of CPU, %5.1f %% of a core, %7.1f MiB at most\n", what, used, 100 * used / seconds,
              after.peak_mebibytes);
}

/// Some seconds of rendering. Processor time per window shows a slope on a busy machine too, where rates do not.
struct Stretch {
  Clock::time_point start;
  std::int64_t windows = 0;
  Usage redis;
  Usage coordinator;
  Usage own;
};

void print_stretch(double seconds, const Stretch& from, const Stretch& to, std::int64_t videos) {
  const double windows = std::max<double>(1, static_cast<double>(to.windows - from.windows));
  const auto each = [&](const Usage& before, const Usage& after) {
    return 1e6 * (after.cpu_seconds - before.cpu_seconds) / windows;
  };
  std::printf("%8.0f %9lld %8lld %11.0f %22.0f %22.0f %22.0f\n", seconds, static_cast<long long>(to.windows),
              static_cast<long long>(videos), windows / std::chrono::duration<double>(to.start - from.start).count(),
              each(from.redis, to.redis), each(from.coordinator, to.coordinator), each(from.own, to.own));
  std::fflush(stdout);
}

void run(int jobs, int groups) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("reelfarm-bench-" + std::to_string(::getpid()));
  const queue::DataFolder data(folder / "data");
  require_room(std::filesystem::temp_directory_path(), jobs);
  std::filesystem::create_directories(data.root());
  {
    queue::PrivateRedisOptions redis_options;
    redis_options.directory = folder / "redis";
    redis_options.fsync = queue::AppendFsync::everysec;
    const queue::PrivateRedis redis(redis_options);
    queue::StoreOptions options;
    options.url = redis.url();
    queue::JobStore store(options);
    store.register_bundle(simulated_bundle());
    std::printf("%d jobs of %d windows (with a first frame and a stitch), %d groups, %d stitchers\n", jobs, kWindows,
                groups, kStitchers);
    std::printf("%-12s %8.0f a second on one connection (an empty script)\n", "ceiling", ping_rate(store));
    const Child coordinator({std::string(REELFARM_BIN_DIR) + "/reelfarm-coordinator", "--redis", redis.url(), "--data",
                             data.root().string(), "--listen", "127.0.0.1:0"});
    PageClient page(page_of(data));
    auto start = Clock::now();
    Usage coordinator_before = usage_of(coordinator.pid());
    Usage redis_before = usage_of(redis.pid());
    submit(store, jobs);
    std::printf("%-12s %8.0f jobs a second\n", "submit", jobs / seconds_since(start));
    wait_until_accepted(store);
    double seconds = seconds_since(start);
    std::printf("%-12s %8.0f jobs a second, %.1f s\n", "accept", jobs / seconds, seconds);
    print_usage("coordinator", coordinator_before, usage_of(coordinator.pid()), seconds);
    print_usage("redis", redis_before, usage_of(redis.pid()), seconds);
    std::fflush(stdout);

    coordinator_before = usage_of(coordinator.pid());
    redis_before = usage_of(redis.pid());
    start = Clock::now();
    const SimulatedWorkers workers(options, groups, kStitchers, kThreads);
    const WorkerCounts& counts = workers.counts();
    std::printf("%8s %9s %8s %11s %22s %22s %22s\n", "seconds", "windows", "videos", "windows/s", "redis us/window",
                "coordinator us/window", "workers us/window");
    Stretch stretch{
        .start = start, .redis = redis_before, .coordinator = coordinator_before, .own = usage_of(::getpid())};
    while (counts.videos < jobs) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (seconds_since(stretch.start) < kStretchSeconds) continue;
      const Stretch next{Clock::now(), counts.windows, usage_of(redis.pid()), usage_of(coordinator.pid()),
                         usage_of(::getpid())};
      print_stretch(seconds_since(start), stretch, next, counts.videos);
      stretch = next;
    }
    seconds = seconds_since(start);
    page.stop();
    std::printf("%-12s %8.0f claims a second, %.0f transitions a second, %.1f s, %lld windows, %lld videos\n", "render",
                static_cast<double>(counts.claims) / seconds, static_cast<double>(counts.transitions) / seconds,
                seconds, static_cast<long long>(counts.windows), static_cast<long long>(counts.videos));
    print_usage("coordinator", coordinator_before, usage_of(coordinator.pid()), seconds);
    print_usage("redis", redis_before, usage_of(redis.pid()), seconds);
    for (const auto& [target, times] : page.milliseconds()) {
      std::printf("%-20s median %7.1f ms, 99 %% %7.1f ms, worst %7.1f ms, %zu answers\n", target.c_str(),
                  part(times, 0.5), part(times, 0.99), part(times, 1), times.size());
    }
    std::printf("%-20s %d\n", "page failures", page.failures());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace reelfarm::bench

int main(int argc, char** argv) {
  const int jobs = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const int groups = argc > 2 ? std::atoi(argv[2]) : 200;
  if (jobs < 1 || groups < 1) {
    std::fprintf(stderr, "bench_farm [JOBS] [GROUPS]\n");
    return 2;
  }
  reelfarm::bench::run(jobs, groups);
  return 0;
}
