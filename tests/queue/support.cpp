#include "tests/queue/support.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <stdexcept>

namespace reelfarm::queue::test {

namespace {

struct SharedRedis {
  TemporaryFolder folder;
  PrivateRedis server;
  SharedRedis() : server(PrivateRedisOptions{.directory = folder.path(), .fsync = AppendFsync::no}) {}
};

std::string next_farm() {
  static std::atomic<int> count = 0;
  return "test-" + std::to_string(++count);
}

StoreOptions test_options() {
  StoreOptions options;
  options.url = shared_redis().url();
  options.farm = next_farm();
  return options;
}

void flatten(const detail::Reply& reply, std::vector<std::string>& out) {
  if (!reply.is_array()) {
    out.push_back(reply.text());
    return;
  }
  for (std::size_t i = 0; i < reply.size(); ++i) flatten(reply[i], out);
}

}  // namespace

PrivateRedis& shared_redis() {
  static SharedRedis redis;
  return redis.server;
}

TestFarm::TestFarm()
    : options(test_options()), keys_(options.farm), connection_({.url = RedisUrl::parse(options.url)}) {}

std::vector<std::string> TestFarm::raw(const detail::Arguments& arguments) {
  std::vector<std::string> out;
  flatten(detail::Reply(connection_.command(arguments).get()), out);
  return out;
}

void TestFarm::advance(std::chrono::milliseconds by) {
  offset_ += by;
  raw({"SET", keys_.clock_offset(), std::to_string(offset_.count())});
}

void TestFarm::stop_clock_at(ServerTime time) {
  raw({"SET", keys_.clock_offset(), "=" + std::to_string(time.time_since_epoch().count())});
}

JobSpec make_spec(const std::string& prompt, int priority) {
  JobSpec spec;
  spec.prompt = prompt;
  spec.seed = 42;
  spec.priority = priority;
  return spec;
}

Plan make_plan(const std::string& job, const JobSpec& spec, int windows, bool image, const std::string& bundle) {
  Plan plan;
  plan.spec = spec;
  const std::string image_id = task_id(job, TaskKind::image);
  const auto render = [&](TaskKind kind, int window) {
    TaskSpec task;
    task.id = task_id(job, kind, window);
    task.job = job;
    task.kind = kind;
    task.window = window;
    task.bundle_hash = bundle;
    task.artifact_key = "key-" + task.id;
    task.render.prompt = spec.prompt;
    task.render.seed = spec.seed + static_cast<std::uint64_t>(window);
    return task;
  };
  if (image) plan.tasks.push_back(render(TaskKind::image, 0));
  for (int window = 0; window < windows; ++window) {
    TaskSpec task = render(TaskKind::window, window);
    if (window > 0) task.depends.push_back({task_id(job, TaskKind::window, window - 1), DependencyOn::tail});
    if (window == 0 && image) task.depends.push_back({image_id, DependencyOn::done});
    plan.tasks.push_back(task);
  }
  TaskSpec stitch;
  stitch.id = task_id(job, TaskKind::stitch);
  stitch.job = job;
  stitch.kind = TaskKind::stitch;
  stitch.depends.push_back({task_id(job, TaskKind::window, 0), DependencyOn::done});
  stitch.stitch.windows = windows;
  plan.tasks.push_back(stitch);
  return plan;
}

std::string add_job(JobStore& store, int windows, bool image, const JobSpec& spec) {
  const std::string job = store.submit(spec).job;
  EXPECT_TRUE(store.accept(job, make_plan(job, spec, windows, image)));
  return job;
}

ClaimFilter render_filter(const std::string& owner, const std::string& fingerprint, const std::string& dtype) {
  ClaimFilter filter;
  filter.owner = owner;
  filter.host = "host-of-" + owner;
  filter.bundle_hash = kBundle;
  filter.fingerprint = fingerprint;
  filter.dtype = dtype;
  return filter;
}

ClaimFilter stitch_filter(const std::string& owner) {
  ClaimFilter filter;
  filter.owner = owner;
  filter.kinds = {TaskKind::stitch};
  return filter;
}

GroupRecord group_of(const ClaimFilter& filter) {
  GroupRecord group;
  group.id = filter.owner;
  group.host = filter.host;
  group.bundle_hash = filter.bundle_hash;
  group.fingerprint = filter.fingerprint;
  group.dtype = filter.dtype;
  group.state = GroupState::idle;
  return group;
}

Artifact make_artifact(const std::string& name) {
  return {"artifacts/" + name, "sha-" + name, 100, 5};
}

FinishReport make_report(const std::string& name) {
  FinishReport report;
  report.digest = "sha-" + name;
  report.artifact = make_artifact(name);
  return report;
}

std::string task_states(JobStore& store, const std::string& job) {
  std::string text;
  for (const TaskRecord& task : store.get_tasks(job)) {
    text += text.empty() ? "" : " ";
    text += task.spec.kind == TaskKind::window ? "w" + std::to_string(task.spec.window)
                                               : std::string(to_string(task.spec.kind));
    text += ":" + std::string(to_string(task.state));
  }
  return text;
}

Lease must_claim(JobStore& store, const ClaimFilter& filter) {
  std::optional<Lease> lease = store.claim(filter);
  if (!lease) throw std::runtime_error("nothing to claim for " + filter.owner);
  return *lease;
}

}  // namespace reelfarm::queue::test
