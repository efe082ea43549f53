#include "worker/stitcher/service.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <list>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "pipeline/artifacts/errors.hpp"
#include "queue/data_folder.hpp"
#include "queue/event.hpp"
#include "worker/stitcher/lease_keeper.hpp"

namespace reelfarm::worker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kEventWait{250};
constexpr milliseconds kQueueAwayPause{1000};
// Events are only a hint to look sooner; this is how old a look may be.
constexpr milliseconds kLookAgain{3000};

/// Thrown between two frames.
struct Interrupted {};

std::string make_owner(const std::string& host) {
  std::random_device random;
  return fmt::format("stitcher-{}-{:08x}", host, random());
}

/// What failed then is tried again when there is room: it was no fault of the job.
bool disk_is_full(const std::filesystem::path& data) {
  constexpr std::uintmax_t kLeast = 1 << 20;
  std::error_code error;
  const auto space = std::filesystem::space(data, error);
  return !error && space.available < std::max(kLeast, space.capacity / 200);
}

}  // namespace

struct StitcherService::Impl {
  struct Job {
    std::unique_ptr<StitchJob> work;
    std::vector<queue::TaskRecord> tasks;
    Clock::time_point looked{};
    std::optional<queue::FinishReport> finish;  // Published; the queue has still to hear of it.
  };

  explicit Impl(StitcherOptions given)
      : options(std::move(given)),
        owner(make_owner(options.host)),
        store(options.store),
        keeper(options.store, {.id = owner, .host = options.host, .pid = ::getpid(), .follow = options.follow},
               options.longest_silence),
        data(options.data) {}

  void run();
  bool data_is_ours();
  void claim_more();
  bool take(const queue::Lease& lease);
  void look_at(Job& job);
  bool serve(Job& job);
  bool deliver(Job& job);
  void give_back_all();
  void wait_for_events();
  void after_frame(const queue::FencingToken& token);
  void drop(Job& job);
  void fail(const queue::FencingToken& token, queue::FailureClass failure, const std::string& message);
  template <typename Work>
  bool guarded(const queue::FencingToken& token, const Work& work);

  StitcherOptions options;
  std::string owner;
  queue::JobStore store;
  LeaseKeeper keeper;
  queue::DataFolder data;
  std::list<Job> jobs;
  std::optional<queue::EventReader> events;
  Clock::time_point next_claim{};
  std::string data_complaint;
  std::atomic<bool> stopping{false};
};

StitcherService::StitcherService(StitcherOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
StitcherService::~StitcherService() = default;
void StitcherService::run() {
  impl_->run();
}
void StitcherService::stop() {
  impl_->stopping = true;
}

void StitcherService::Impl::run() {
  spdlog::info("owner={} data={} following up to {} jobs", owner, data.root().string(), options.follow);
  bool away = false;
  while (!stopping) {
    keeper.tick();
    try {
      claim_more();
      bool worked = false;
      for (auto job = jobs.begin(); job != jobs.end() && !stopping;) {
        worked = serve(*job) || worked;
        job = job->work ? std::next(job) : jobs.erase(job);
      }
      if (!worked && !stopping) wait_for_events();
      away = false;
    } catch (const queue::ConnectionError& error) {
      if (!away) spdlog::warn("the queue is away: {}", error.what());
      away = true;
      events.reset();
      std::this_thread::sleep_for(kQueueAwayPause);
    }
  }
  give_back_all();
}

// A disk that is not mounted, or another farm's folder, must not get our files.
bool StitcherService::Impl::data_is_ours() {
  const std::string complaint = data.complaint(store.farm_id());
  if (!complaint.empty() && complaint != data_complaint) spdlog::warn("waiting: {}", complaint);
  keeper.note(complaint);
  data_complaint = complaint;
  return complaint.empty();
}

void StitcherService::Impl::claim_more() {
  // One place beyond `follow`, for a job that needs no waiting.
  while (!stopping && static_cast<int>(jobs.size()) <= options.follow && Clock::now() >= next_claim) {
    next_claim = Clock::now() + kLookAgain;
    if (!data_is_ours()) return;
    queue::ClaimFilter filter;
    filter.owner = owner;
    filter.host = options.host;
    filter.kinds = {queue::TaskKind::stitch};
    const std::optional<queue::Lease> lease = store.claim(filter);
    if (!lease) return;
    if (take(*lease)) next_claim = {};
  }
}

// Whether to go on claiming at once.
bool StitcherService::Impl::take(const queue::Lease& lease) {
  const queue::FencingToken token = lease.token;
  std::vector<queue::TaskRecord> tasks = store.get_tasks(lease.task.spec.job);
  const std::int64_t leading = leading_windows(tasks);
  const bool whole = lease.task.partial || leading == static_cast<std::int64_t>(windows_of(tasks).size());
  if (!whole && static_cast<int>(jobs.size()) >= options.follow) {
    store.release(token, "no room to follow it yet", false, options.no_room_delay);
    return true;
  }
  spdlog::info("job={} task={} attempt={} claimed, {} of {} windows are there", lease.task.spec.job, token.task,
               token.attempt, leading, windows_of(tasks).size());
  keeper.hold(token);
  guarded(token, [&] {
    Job job;
    job.work = std::make_unique<StitchJob>(lease, tasks, data, options.encoding, [this, token] { after_frame(token); });
    job.tasks = std::move(tasks);
    job.looked = Clock::now();
    jobs.push_back(std::move(job));
  });
  return true;
}

void StitcherService::Impl::after_frame(const queue::FencingToken& token) {
  keeper.tick();
  if (stopping || keeper.lost(token)) throw Interrupted{};
}

// Runs `work`, which may fail in all the ways that stitching can; false when the task is not ours any more.
template <typename Work>
bool StitcherService::Impl::guarded(const queue::FencingToken& token, const Work& work) {
  try {
    work();
    return true;
  } catch (const Interrupted&) {
    return !keeper.lost(token);
  } catch (const LostWindow& lost) {
    spdlog::warn("task={} attempt={} cannot use {}: {}", token.task, token.attempt, lost.task(), lost.what());
    keeper.drop(token);
    store.reject_input(token, lost.task(), lost.digest(), lost.what());
  } catch (const artifacts::ArtifactError& error) {
    fail(token, queue::FailureClass::storage, error.what());
  } catch (const stitcher::StitchError& error) {
    fail(token, queue::FailureClass::data, error.what());
  } catch (const windows::InvalidRequest& error) {
    fail(token, queue::FailureClass::data, error.what());
  } catch (const queue::Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(token, queue::FailureClass::internal, error.what());
  }
  return false;
}

void StitcherService::Impl::fail(const queue::FencingToken& token, queue::FailureClass failure,
                                 const std::string& message) {
  if (disk_is_full(options.data)) {
    spdlog::warn("task={} attempt={} waits for room on the disk: {}", token.task, token.attempt, message);
    keeper.drop(token);
    store.release(token, "the disk is full: " + message, false, options.no_room_delay);
    return;
  }
  spdlog::error("task={} attempt={} failed: {}", token.task, token.attempt, message);
  keeper.drop(token);
  store.fail(token, failure, message);
}

void StitcherService::Impl::drop(Job& job) {
  keeper.drop(job.work->token());
  job.work.reset();
}

void StitcherService::Impl::look_at(Job& job) {
  job.tasks = store.get_tasks(job.work->job());
  job.looked = Clock::now();
}

// One window of one job. True when there was something to do.
bool StitcherService::Impl::serve(Job& job) {
  const queue::FencingToken token = job.work->token();
  if (keeper.lost(token)) {
    spdlog::warn("task={} attempt={} given up: the lease is another's", token.task, token.attempt);
    job.work->withdraw();
    drop(job);
    return true;
  }
  if (job.finish) return deliver(job);
  if (Clock::now() - job.looked > kLookAgain) look_at(job);
  if (job.tasks.empty()) {  // The job was removed.
    drop(job);
    return true;
  }
  const bool ready = job.work->can_advance(job.tasks);
  if (!ready && !job.work->complete(job.tasks)) return false;
  const bool kept = guarded(token, [&] {
    if (ready) {
      job.work->advance(job.tasks);
      const int windows = static_cast<int>(windows_of(job.tasks).size());
      const int merged = static_cast<int>(job.work->windows());
      keeper.report(token, {.phase = "stitch",
                            .step = merged,
                            .steps = windows,
                            .fraction = static_cast<double>(merged) / std::max(1, windows)});
      spdlog::info("job={} task={} attempt={} window {} merged, {} frames written", job.work->job(), token.task,
                   token.attempt, merged - 1, job.work->frames());
    } else {
      job.finish = job.work->publish(job.tasks);
    }
  });
  if (!kept) {
    job.work->withdraw();
    drop(job);
  } else if (job.finish) {
    deliver(job);
  }
  return true;
}

// Tells the queue. When it is away the next turn tries again; the same token and digest may be sent twice.
bool StitcherService::Impl::deliver(Job& job) {
  const queue::FencingToken token = job.work->token();
  queue::ReplyCode reply = queue::ReplyCode::stale;
  try {
    reply = store.finish(token, *job.finish);
  } catch (const queue::TransitionError& error) {
    job.work->withdraw();
    fail(token, queue::FailureClass::internal, error.what());
    job.work.reset();
    return true;
  }
  if (reply == queue::ReplyCode::ok) {
    job.work->remove_predecessors();
    spdlog::info("job={} task={} attempt={} published {} with {} frames", job.work->job(), token.task, token.attempt,
                 job.finish->artifact.path, job.finish->artifact.frames);
  } else {
    spdlog::warn("job={} task={} attempt={} finish refused: {}", job.work->job(), token.task, token.attempt,
                 to_string(reply));
    job.work->withdraw();
  }
  drop(job);
  return true;
}

void StitcherService::Impl::wait_for_events() {
  if (!events) events.emplace(options.store);
  for (const queue::Event& event : events->read(kEventWait)) {
    if (event.type == "ready") next_claim = {};
    for (Job& job : jobs) {
      if (job.work->job() == event.job) job.looked = {};
    }
  }
}

void StitcherService::Impl::give_back_all() {
  for (Job& job : jobs) {
    const queue::FencingToken token = job.work->token();
    try {
      if (job.finish && deliver(job)) continue;
      store.release(token, "the stitcher stops");
    } catch (const queue::Error& error) {
      spdlog::warn("task={} attempt={} cannot be given back: {}", token.task, token.attempt, error.what());
    }
    if (job.work) drop(job);
  }
  jobs.clear();
  spdlog::info("owner={} stopped", owner);
}

}  // namespace reelfarm::worker
