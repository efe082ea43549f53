#include "coordinator/page/farm_watch.hpp"

#include <spdlog/spdlog.h>

#include "logging/log_format.hpp"

namespace reelfarm::page {
namespace {

constexpr std::size_t kRemembered = 4096;
constexpr std::chrono::milliseconds kPoll{250};
constexpr std::chrono::milliseconds kRetry{1000};

bool is_about_groups(const queue::Event& event) {
  return event.type == "group" || event.type == "bundle" || event.type == "disk" || event.type == "farm";
}

}  // namespace

FarmWatch::FarmWatch(queue::StoreOptions options) : options_(std::move(options)) {}

FarmWatch::~FarmWatch() {
  stop();
}

void FarmWatch::start() {
  thread_ = std::thread([this] { follow(); });
}

void FarmWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void FarmWatch::follow() {
  std::unique_ptr<queue::EventReader> events;
  std::unique_ptr<queue::JobStore> store;
  auto last_second = std::chrono::steady_clock::time_point();
  std::string failing;
  while (!stop_) {
    try {
      if (!events) {
        store = std::make_unique<queue::JobStore>(options_);
        events = std::make_unique<queue::EventReader>(options_);
        const std::lock_guard lock(mutex_);
        lost_at_ = ++count_;
        changed_.notify_all();
      }
      for (const queue::Event& event : events->read(kPoll)) {
        if (on_event) on_event(event);
        if (!event.job.empty() || is_about_groups(event)) note(event.job);
      }
      if (const auto now = std::chrono::steady_clock::now(); now - last_second >= std::chrono::seconds(1)) {
        last_second = now;
        if (on_second) on_second(*store);
      }
      if (!failing.empty()) spdlog::info("page_watch=recovered");
      failing.clear();
    } catch (const std::exception& error) {
      if (failing != error.what()) spdlog::error("page_watch=failing error={}", logging::quoted(error.what()));
      failing = error.what();
      events.reset();
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kRetry, [this] { return stop_.load(); });
    }
  }
}

void FarmWatch::note(const std::string& job) {
  const std::lock_guard lock(mutex_);
  changes_.push_back({++count_, job});
  newest_of_[job] = count_;
  if (changes_.size() > kRemembered) {
    const Change& oldest = changes_.front();
    if (newest_of_[oldest.job] == oldest.number) {
      // The only mention of that job: who has not seen it has to read everything.
      newest_of_.erase(oldest.job);
      lost_at_ = oldest.number;
    }
    changes_.pop_front();
  }
  changed_.notify_all();
}

std::uint64_t FarmWatch::newest() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::optional<Changes> FarmWatch::wait(std::uint64_t& seen, std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [&] { return stop_ || count_ > seen; }) || stop_) return std::nullopt;
  Changes changes;
  changes.everything = seen < lost_at_;
  for (auto change = changes_.rbegin(); change != changes_.rend() && change->number > seen; ++change) {
    if (change->job.empty()) {
      changes.groups = true;
    } else {
      changes.jobs.insert(change->job);
    }
  }
  seen = count_;
  return changes;
}

}  // namespace reelfarm::page
