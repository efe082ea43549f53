#include "cli/follow.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "queue/event.hpp"

namespace reelfarm::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

bool is_rejected(const queue::JobRecord& job) {
  return job.error.error_class == "rejected";
}

/// Over, and nothing of it will change any more.
bool is_settled(const coordinator::JobView& view, SteadyClock::time_point first_seen_over,
                std::chrono::seconds patience) {
  if (!queue::is_terminal(view.job.state)) return false;
  if (view.job.state == queue::JobState::done || is_rejected(view.job) || view.job.closed) return true;
  return view.windows_done() == 0 || SteadyClock::now() - first_seen_over > patience;
}

/// Says that Redis has lost a job, and waits a moment. Throws FarmUnreachable when that is to no end.
class LostJob {
 public:
  LostJob(const queue::DataFolder& data, const FollowOptions& options) : data_(data), options_(options) {}

  void wait(const std::string& job, ProgressPrinter& printer) {
    if (!std::filesystem::exists(data_.job_file(job))) {
      throw FarmUnreachable("Redis does not know job " + job + " any more, and " + data_.root().string() +
                            " has no plan of it: it was removed, or lost before a coordinator accepted it");
    }
    if (!since_) {
      since_ = SteadyClock::now();
      printer.say("Redis has lost job " + job + ", waiting for a coordinator to bring it back");
    } else if (SteadyClock::now() - *since_ > options_.lost_patience) {
      throw FarmUnreachable("Redis has lost job " + job + ", and no coordinator has brought it back from " +
                            data_.root().string() + " (see reelfarm doctor)");
    }
    std::this_thread::sleep_for(options_.interval);
  }
  void found() { since_.reset(); }

 private:
  const queue::DataFolder& data_;
  const FollowOptions& options_;
  std::optional<SteadyClock::time_point> since_;
};

}  // namespace

coordinator::JobView view_of(queue::JobStore& store, const queue::DataFolder& data, const std::string& job) {
  return coordinator::make_view(require_job(store, job), store.get_tasks(job), data, store.now());
}

FollowResult follow(queue::JobStore& store, const queue::DataFolder& data, const std::vector<std::string>& jobs,
                    const FollowOptions& options) {
  const InterruptGuard interrupt;
  ProgressPrinter printer(ProgressPrinter::stderr_is_terminal());
  std::map<std::string, SteadyClock::time_point> over_since;
  FollowResult result;
  std::unique_ptr<queue::EventReader> events;
  LostJob lost(data, options);
  bool away = false;
  while (!interrupt.interrupted()) {
    try {
      // Before the jobs are read, so that no change after it is missed.
      if (!events) events = std::make_unique<queue::EventReader>(store.options());
      std::vector<coordinator::JobView> views;
      const bool known = options.known || !result.views.empty();
      for (const std::string& job : jobs) {
        const auto record = known ? store.get_job(job) : require_job(store, job);
        if (!record) {
          events.reset();
          lost.wait(job, printer);
          break;
        }
        views.push_back(coordinator::make_view(*record, store.get_tasks(job), data, store.now()));
      }
      if (views.size() < jobs.size()) continue;
      if (away) printer.say("the farm is back");
      away = false;
      lost.found();
      result.views = std::move(views);
      printer.show(result.views, options.window_seconds);
      const bool settled = std::all_of(result.views.begin(), result.views.end(), [&](const coordinator::JobView& view) {
        if (!queue::is_terminal(view.job.state)) return false;
        const auto since = over_since.try_emplace(view.job.id, SteadyClock::now()).first->second;
        return is_settled(view, since, options.partial_patience);
      });
      if (settled) return result;
      events->read(options.interval);
    } catch (const queue::ConnectionError& error) {
      if (!away) printer.say(std::string("the farm cannot be reached, trying again: ") + error.what());
      away = true;
      events.reset();
      std::this_thread::sleep_for(options.interval);
    }
  }
  result.interrupted = true;
  return result;
}

int exit_code_of(const std::vector<coordinator::JobView>& views) {
  int code = kDone;
  for (const coordinator::JobView& view : views) {
    if (is_rejected(view.job)) return kBadInput;
    if (view.job.state == queue::JobState::failed) code = kJobFailed;
    if (view.job.state == queue::JobState::cancelled && code == kDone) code = kJobCancelled;
  }
  return code;
}

}  // namespace reelfarm::cli
