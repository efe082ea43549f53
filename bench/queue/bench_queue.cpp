// How many transitions a second a farm's Redis takes, beside what the same connection can do at all.
//
// One redis-server with an append-only file, clients as threads with a connection each. PING and an empty script are
// the ceilings: a transition is one round trip, so it cannot be quicker than the script that does nothing.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/support/timing.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"

namespace reelfarm::queue {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRepeats = 3;
constexpr const char* kBundle = "bench";

/// Runs work(client, i) for i in 0..count/clients on each client; answers operations per second.
double rate(int clients, int count, const std::function<void(std::size_t, std::size_t)>& work) {
  const int each = count / clients;
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int client = 0; client < clients; ++client) {
    threads.emplace_back([&, client] {
      for (int i = 0; i < each; ++i) work(static_cast<std::size_t>(client), static_cast<std::size_t>(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return each * clients / bench::seconds_since(start);
}

struct Row {
  std::string what;
  std::vector<double> rates;       // operations per second
  std::vector<double> server_cpu;  // seconds per operation
};

JobSpec make_spec() {
  JobSpec spec;
  spec.prompt = std::string(400, 'p');
  spec.seed = 1;
  return spec;
}

/// Three windows in a chain and the stitch: what a 12-second video is.
Plan make_plan(const std::string& job) {
  Plan plan;
  plan.spec = make_spec();
  for (int window = 0; window < 3; ++window) {
    TaskSpec task;
    task.id = task_id(job, TaskKind::window, window);
    task.job = job;
    task.window = window;
    task.bundle_hash = kBundle;
    task.render.prompt = plan.spec.prompt;
    if (window > 0) task.depends.push_back({task_id(job, TaskKind::window, window - 1), DependencyOn::tail});
    plan.tasks.push_back(task);
  }
  TaskSpec stitch;
  stitch.id = task_id(job, TaskKind::stitch);
  stitch.job = job;
  stitch.kind = TaskKind::stitch;
  stitch.depends.push_back({task_id(job, TaskKind::window, 0), DependencyOn::done});
  plan.tasks.push_back(stitch);
  return plan;
}

class Table {
 public:
  explicit Table(const std::string& url) : server_({.url = RedisUrl::parse(url)}) {}

  void add(const std::string& what, int clients, int count, const std::function<void(std::size_t, std::size_t)>& work) {
    const double before = server_cpu_seconds();
    const double operations = rate(clients, count, work);
    Row& row = find(what);
    row.rates.push_back(operations);
    row.server_cpu.push_back((server_cpu_seconds() - before) / count);
  }

  std::vector<Row> rows;

 private:
  Row& find(const std::string& what) {
    for (Row& row : rows) {
      if (row.what == what) return row;
    }
    return rows.emplace_back(Row{what, {}, {}});
  }

  double server_cpu_seconds() {
    const std::string info = detail::Reply(server_.command({"INFO", "cpu"}).get()).text();
    const auto value = [&](const std::string& name) {
      return std::stod(info.substr(info.find(name + ":") + name.size() + 1));
    };
    return value("used_cpu_user") + value("used_cpu_sys");
  }

  detail::RedisConnection server_;
};

void measure(const std::string& url, int clients, int jobs_wanted, const std::string& farm, Table& table) {
  StoreOptions options;
  options.url = url;
  options.farm = farm;
  std::vector<JobStore> stores;
  std::vector<detail::RedisConnection> raw;
  for (int client = 0; client < clients; ++client) {
    stores.emplace_back(options);
    raw.emplace_back(detail::ConnectionOptions{.url = RedisUrl::parse(url)});
  }
  table.add("ceiling: PING", clients, 2 * jobs_wanted,
            [&](std::size_t client, std::size_t) { raw[client].command({"PING"}); });
  table.add("ceiling: empty script", clients, 2 * jobs_wanted, [&](std::size_t client, std::size_t) {
    raw[client].command({"EVAL", "return 1", "1", "{x}"});
  });
  table.add("ceiling: script, one HSET", clients, 2 * jobs_wanted, [&](std::size_t client, std::size_t i) {
    raw[client].command({"EVAL", "return redis.call('HSET', KEYS[1], 'a', ARGV[1])", "1", "{x}:h", std::to_string(i)});
  });

  const JobSpec spec = make_spec();
  table.add("enqueue (submit)", clients, jobs_wanted,
            [&](std::size_t client, std::size_t) { stores[client].submit(spec); });
  std::vector<std::vector<std::string>> jobs(stores.size());
  std::size_t taken = 0;
  for (const InboxEntry& entry : stores[0].read_inbox(jobs_wanted)) jobs[taken++ % jobs.size()].push_back(entry.job);
  table.add("accept (4 tasks)", clients, jobs_wanted, [&](std::size_t client, std::size_t i) {
    stores[client].accept(jobs[client][i], make_plan(jobs[client][i]));
  });
  std::vector<std::vector<FencingToken>> tokens(stores.size());
  table.add("claim", clients, jobs_wanted, [&](std::size_t client, std::size_t) {
    ClaimFilter filter;
    filter.owner = "g" + std::to_string(client);
    filter.bundle_hash = kBundle;
    filter.fingerprint = "f";
    tokens[client].push_back(stores[client].claim(filter)->token);
  });
  table.add("tick", clients, jobs_wanted, [&](std::size_t client, std::size_t i) {
    stores[client].tick(tokens[client][i], {"step", 1, 4, 0.25});
  });
  const Artifact artifact{"jobs/x/windows/0", std::string(64, 'a'), 1 << 20, 121};
  table.add("tail", clients, jobs_wanted,
            [&](std::size_t client, std::size_t i) { stores[client].tail(tokens[client][i], artifact); });
  FinishReport report;
  report.digest = artifact.sha256;
  report.artifact = artifact;
  table.add("finish", clients, jobs_wanted,
            [&](std::size_t client, std::size_t i) { stores[client].finish(tokens[client][i], report); });
  if (stores[0].leases().size() != 0) throw Error("a lease was left: the figures above are of something else");
}

void print(const char* name, int clients, int jobs_wanted, Table& table) {
  std::printf("\nappendfsync %s, %d client%s, %d jobs of 3 windows, median of %d (operations/s)\n", name, clients,
              clients == 1 ? "" : "s", jobs_wanted, kRepeats);
  std::printf("| %-28s | %9s | %8s | %13s | %15s |\n|%s|%s|%s|%s|%s|\n", "what", "median", "us each", "server CPU us",
              "of empty script", std::string(30, '-').c_str(), std::string(11, '-').c_str(),
              std::string(10, '-').c_str(), std::string(15, '-').c_str(), std::string(17, '-').c_str());
  double ceiling = 0;
  for (Row& row : table.rows) {
    if (row.what == "ceiling: empty script") ceiling = bench::median(row.rates);
  }
  for (Row& row : table.rows) {
    std::printf("| %-28s | %9.0f | %8.0f | %13.0f | %14.0f%% |\n", row.what.c_str(), bench::median(row.rates),
                1e6 * clients / bench::median(row.rates), 1e6 * bench::median(row.server_cpu),
                100 * bench::median(row.rates) / ceiling);
  }
  std::fflush(stdout);
}

void run() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("reelfarm-bench-" + make_job_id());
  int farm = 0;
  struct Setting {
    const char* name;
    AppendFsync fsync;
    int jobs;  // fewer where every write waits for the disk
  };
  for (const auto& [name, fsync, jobs_wanted] :
       {Setting{"always", AppendFsync::always, 100}, Setting{"everysec", AppendFsync::everysec, 2000}}) {
    PrivateRedis redis({.directory = folder / name, .fsync = fsync});
    for (const int clients : {1, 4}) {
      Table table(redis.url());
      for (int repeat = 0; repeat < kRepeats; ++repeat) {
        detail::RedisConnection({.url = RedisUrl::parse(redis.url())}).command({"FLUSHALL"});
        measure(redis.url(), clients, jobs_wanted, "bench-" + std::to_string(++farm), table);
      }
      print(name, clients, jobs_wanted, table);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace reelfarm::queue

int main() {
  try {
    reelfarm::queue::run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_queue: %s\n", error.what());
    return 1;
  }
}
