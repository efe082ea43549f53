#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "queue/event.hpp"
#include "queue/job.hpp"

namespace reelfarm::notify {

enum class NewsKind { finished, failed, stalled, idle };
std::string_view to_string(NewsKind kind);

/// Something that came about, for people.
struct News {
  NewsKind kind = NewsKind::finished;
  std::string scope{};    ///< "batch", "project", "job", "farm"
  std::string name{};     ///< of it; empty: the farm
  std::string project{};  ///< that it belongs to; empty: none, or several
  std::string text{};     ///< one line
  queue::ServerTime since{};
  std::map<queue::JobState, int> jobs{};  ///< of a batch or project that has finished

  /// What it is about: told once for each `since`, which only grows for what is news again.
  std::string subject() const;
};

struct Patience {
  std::chrono::milliseconds stalled{std::chrono::minutes(30)};
  std::chrono::milliseconds idle{std::chrono::minutes(15)};
};

/// Knows of every job what a notification needs, and says what there is to tell. It looks at states and not at changes:
/// what is true is found again after a restart, and whoever keeps `subject` and `since` tells it once. Pure.
class FarmNews {
 public:
  /// `watched_since`: what ended before is no news. Nor is what ended more than a week ago.
  explicit FarmNews(queue::ServerTime watched_since) : watched_since_(watched_since) {}

  void set(const queue::JobRecord& job);
  void forget(const std::string& job);
  void see(const queue::Event& event);  ///< in order; of a job that is not known it is kept as well

  struct Moment {
    queue::ServerTime now{};
    bool anybody_works = false;  ///< some task is leased
    bool paused = false;         ///< the whole farm
  };
  std::vector<News> news(const Moment& moment, const Patience& patience) const;

 private:
  struct Job {
    queue::JobState state = queue::JobState::submitted;
    std::string name;
    std::string project;
    std::string batch;
    std::string error;
    queue::ServerTime accepted{};
    queue::ServerTime started{};
    queue::ServerTime finished{};
  };
  using Member = std::string Job::*;

  queue::ServerTime progress_of(const std::string& job) const;
  bool is_news(const Job& job, queue::ServerTime now) const;
  void add_failed(queue::ServerTime now, std::vector<News>& news) const;
  void add_finished(const char* scope, Member group, queue::ServerTime now, std::vector<News>& news) const;
  void add_stalled(const Moment& moment, std::chrono::milliseconds patience, std::vector<News>& news) const;
  void add_idle(const Moment& moment, std::chrono::milliseconds patience, std::vector<News>& news) const;

  queue::ServerTime watched_since_;
  std::map<std::string, Job> jobs_;
  /// By job: when a step, a tail or a task of it was done, or when it went on after a pause.
  std::map<std::string, queue::ServerTime> progress_;
  queue::ServerTime last_work_{};  ///< of any task
  queue::ServerTime went_on_{};    ///< the farm, after a pause
};

}  // namespace reelfarm::notify
