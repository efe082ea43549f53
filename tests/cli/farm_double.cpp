// Stands in for reelfarm-worker and reelfarm-stitcher in tests of the command line: it takes part in the queue like
// them (registers, leases, ticks, publishes, drains on SIGTERM) but renders nothing. What it does depends on the name
// it is started by, and on words in the prompt: FAIL fails the window, SLOW holds it until the job is cancelled or it
// drains. With REELFARM_TEST_MEDIA what it publishes are copies of frames.mkv and video.mp4 in that folder.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "tests/coordinator/published_files.hpp"

namespace {

using namespace reelfarm;

volatile sig_atomic_t stop = 0;

struct Setting {
  queue::StoreOptions store;
  std::filesystem::path data;
  std::string owner;
  bool stitcher = false;
};

queue::BundleLimits bundle(const std::string& name) {
  queue::BundleLimits limits;
  limits.name = name;
  limits.hash = std::string(64, 'e');
  limits.default_width = 64;
  limits.default_height = 48;
  limits.window_frames = 17;
  limits.overlap_frames = {1, 5};
  limits.default_steps = 4;
  limits.shift = 5;
  limits.guidance = 1;
  limits.distilled = true;
  limits.has_t2i = name != "no-t2i";
  limits.needs_image = name != "text-only";
  limits.single_window_only = name == "text-only";
  limits.conditions = {"first"};
  return limits;
}

/// The file to publish copies of; empty: none was given.
std::filesystem::path media(const char* name) {
  const char* folder = std::getenv("REELFARM_TEST_MEDIA");
  return folder ? std::filesystem::path(folder) / name : std::filesystem::path();
}

/// Holds a task until it is told to give it up.
void hold(queue::JobStore& store, const queue::Lease& lease) {
  for (;;) {
    const queue::ReplyCode reply = store.tick(lease.token, {"step", 1, 4, 0});
    if (reply == queue::ReplyCode::stale || reply == queue::ReplyCode::gone) return;
    if (stop || reply != queue::ReplyCode::ok) {
      store.release(lease.token, stop ? "drained" : "told to");
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void work(queue::JobStore& store, const queue::Lease& lease, const queue::DataFolder& data) {
  const queue::TaskSpec& task = lease.task.spec;
  if (task.render.prompt.find("FAIL") != std::string::npos) {
    store.fail(lease.token, queue::FailureClass::data, "the test asked for a failure");
    return;
  }
  if (task.kind == queue::TaskKind::window && task.render.prompt.find("SLOW") != std::string::npos) {
    hold(store, lease);
    return;
  }
  for (int step = 1; step <= task.render.steps; ++step) store.tick(lease.token, {"step", step, task.render.steps, 0});
  std::filesystem::path published = data.job_image(task.job) / (task.id + ".png");
  if (task.kind == queue::TaskKind::stitch) {
    // The real one streams; here it waits, which is what the queue demands of both.
    for (const queue::TaskRecord& record : store.get_tasks(task.job)) {
      if (record.spec.kind == queue::TaskKind::window && record.state != queue::TaskState::done) {
        if (!lease.task.partial || record.spec.window < lease.task.window_limit) {
          store.release(lease.token, "waits", false, std::chrono::milliseconds(50));
          return;
        }
      }
    }
    published = data.videos() / (task.job + ".mp4");
  }
  std::filesystem::create_directories(published.parent_path());
  if (task.kind == queue::TaskKind::window) {
    const queue::FinishReport report = test::publish_window(data, lease, media("frames.mkv"));
    store.tail(lease.token, *report.tail);
    store.finish(lease.token, report);
    return;
  }
  if (const auto file = media("video.mp4"); !file.empty() && task.kind == queue::TaskKind::stitch) {
    std::filesystem::copy_file(file, published);
  } else {
    std::ofstream(published) << "output of " << task.id << "\n";
  }
  const queue::Artifact artifact{data.relative(published), "0", 1, task.span.num_frames};
  store.finish(lease.token, {"digest", artifact, std::nullopt, ""});
}

int serve(const Setting& setting) {
  queue::JobStore store(setting.store);
  const queue::DataFolder data(setting.data);
  const char* name = std::getenv("REELFARM_TEST_BUNDLE");
  const queue::BundleLimits limits = bundle(name ? name : "double");
  queue::GroupRecord group;
  group.id = setting.owner;
  group.host = "test";
  group.pid = ::getpid();
  group.bundle = limits.name;
  group.bundle_hash = limits.hash;
  group.fingerprint = test::kFingerprint;
  group.ranks = 1;
  group.device = "none";
  if (!setting.stitcher) {
    store.register_bundle(limits);
    store.register_group(group);
    // The real one is "starting" until its ranks have their weights.
    store.heartbeat_group(setting.owner, queue::GroupState::idle);
  }
  queue::ClaimFilter filter;
  filter.owner = setting.owner;
  filter.host = "test";
  filter.bundle_hash = limits.hash;
  filter.fingerprint = test::kFingerprint;
  if (setting.stitcher) filter.kinds = {queue::TaskKind::stitch};
  while (!stop) {
    if (setting.stitcher) {
      store.heartbeat_stitcher({.id = setting.owner, .host = "test", .pid = ::getpid(), .follow = 4});
    } else {
      store.heartbeat_group(setting.owner, queue::GroupState::idle);
    }
    if (const auto lease = store.claim(filter)) {
      work(store, *lease, data);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  if (setting.stitcher) {
    store.remove_stitcher(setting.owner);
  } else {
    store.remove_group(setting.owner);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = 1; };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  Setting setting;
  setting.stitcher = std::string(argv[0]).ends_with("reelfarm-stitcher");
  setting.owner = (setting.stitcher ? "stitcher-" : "group-") + std::to_string(::getpid());
  if (const char* url = std::getenv("REELFARM_REDIS")) setting.store.url = url;
  for (int index = 1; index + 1 < argc; ++index) {
    const std::string word = argv[index];
    if (word == "--redis") setting.store.url = argv[index + 1];
    if (word == "--data") setting.data = argv[index + 1];
    if (word == "--bundle" && std::filesystem::exists(std::filesystem::path(argv[index + 1]) / "broken")) {
      std::cerr << "the bundle is broken: tensor x is missing\n";
      return 2;
    }
  }
  try {
    std::cerr << setting.owner << " begins\n";
    return serve(setting);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
