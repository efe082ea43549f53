#include "coordinator/notify/news.hpp"

#include <algorithm>

namespace reelfarm::notify {

using queue::JobState;
using queue::ServerTime;

namespace {

constexpr std::chrono::hours kOldNews{24 * 7};

bool may_work(JobState state) {
  return state == JobState::queued || state == JobState::running;
}

std::string counts_text(const std::map<JobState, int>& jobs) {
  std::string text;
  for (const auto& [state, count] : jobs) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(state));
  }
  return text;
}

std::string minutes_text(std::chrono::milliseconds time) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(time).count();
  return std::to_string(minutes) + (minutes == 1 ? " minute" : " minutes");
}

}  // namespace

std::string_view to_string(NewsKind kind) {
  switch (kind) {
    case NewsKind::finished:
      return "finished";
    case NewsKind::failed:
      return "failed";
    case NewsKind::stalled:
      return "stalled";
    case NewsKind::idle:
      return "idle";
  }
  return "";
}

std::string News::subject() const {
  return std::string(to_string(kind)) + "/" + scope + "/" + name;
}

void FarmNews::set(const queue::JobRecord& record) {
  Job& job = jobs_[record.id];
  job.state = record.state;
  job.name = record.spec.name;
  job.project = record.spec.project;
  job.batch = record.spec.batch;
  job.error = record.error.message;
  job.accepted = record.accepted;
  job.started = record.started;
  job.finished = record.finished;
}

void FarmNews::forget(const std::string& job) {
  jobs_.erase(job);
  progress_.erase(job);
}

void FarmNews::see(const queue::Event& event) {
  const bool goes_on = event.type == "resumed" || event.type == "retry";
  if (event.type == "farm") went_on_ = std::max(went_on_, event.time);
  if (event.job.empty()) return;
  if (!event.task.empty()) last_work_ = std::max(last_work_, event.time);
  const bool advances = event.type == "step" || event.type == "tail" || event.type == "done";
  if (advances || (event.task.empty() && goes_on)) {
    ServerTime& progress = progress_[event.job];
    progress = std::max(progress, event.time);
  }
  // The one change of a job that has no event of its own.
  const auto job = jobs_.find(event.job);
  if (job == jobs_.end() || event.type != "claimed" || job->second.state != JobState::queued) return;
  job->second.state = JobState::running;
  if (job->second.started == ServerTime{}) job->second.started = event.time;
}

ServerTime FarmNews::progress_of(const std::string& job) const {
  const auto progress = progress_.find(job);
  return progress == progress_.end() ? ServerTime{} : progress->second;
}

bool FarmNews::is_news(const Job& job, ServerTime now) const {
  return queue::is_terminal(job.state) && job.finished >= watched_since_ && now - job.finished < kOldNews;
}

void FarmNews::add_failed(ServerTime now, std::vector<News>& news) const {
  for (const auto& [id, job] : jobs_) {
    if (job.state != JobState::failed || !is_news(job, now)) continue;
    const std::string name = job.name.empty() || job.name == id ? id : id + " (" + job.name + ")";
    news.push_back({.kind = NewsKind::failed,
                    .scope = "job",
                    .name = id,
                    .project = job.project,
                    .text = "job " + name + " has failed: " + job.error,
                    .since = job.finished});
  }
}

void FarmNews::add_finished(const char* scope, Member group, ServerTime now, std::vector<News>& news) const {
  struct Group {
    bool live = false;
    News news;
  };
  std::map<std::string, Group> groups;
  for (const auto& [id, job] : jobs_) {
    if ((job.*group).empty()) continue;
    Group& of = groups[job.*group];
    of.live = of.live || !queue::is_terminal(job.state);
    if (of.news.jobs.empty()) of.news.project = job.project;
    if (of.news.project != job.project) of.news.project.clear();
    ++of.news.jobs[job.state];
    of.news.since = std::max(of.news.since, job.finished);
  }
  for (auto& [name, of] : groups) {
    if (of.live || of.news.since < watched_since_ || now - of.news.since >= kOldNews) continue;
    of.news.kind = NewsKind::finished;
    of.news.scope = scope;
    of.news.name = name;
    of.news.text = std::string(scope) + " " + name + " has finished: " + counts_text(of.news.jobs);
    news.push_back(std::move(of.news));
  }
}

void FarmNews::add_stalled(const Moment& moment, std::chrono::milliseconds patience, std::vector<News>& news) const {
  struct Project {
    bool running = false;
    ServerTime advanced{};
  };
  std::map<std::string, Project> projects;
  for (const auto& [id, job] : jobs_) {
    Project& of = projects[job.project];
    of.running = of.running || job.state == JobState::running;
    // Also of those that have ended: while one job of a project advanced, the project did.
    of.advanced = std::max({of.advanced, job.started, job.finished, went_on_, progress_of(id)});
  }
  for (const auto& [project, of] : projects) {
    const ServerTime since = of.advanced;
    if (!of.running || moment.now - since < patience) continue;
    const std::string what = project.empty() ? "jobs without a project" : "project " + project;
    news.push_back({.kind = NewsKind::stalled,
                    .scope = "project",
                    .name = project,
                    .project = project,
                    .text = what + ": nothing has advanced for " + minutes_text(moment.now - since),
                    .since = since});
  }
}

void FarmNews::add_idle(const Moment& moment, std::chrono::milliseconds patience, std::vector<News>& news) const {
  int waiting = 0;
  ServerTime oldest = ServerTime::max();
  for (const auto& [id, job] : jobs_) {
    if (!may_work(job.state)) continue;
    ++waiting;
    // One that was paused or had failed waits since it goes on.
    oldest = std::min(oldest, std::max(job.accepted, progress_of(id)));
  }
  const ServerTime since = std::max({oldest, last_work_, went_on_});
  if (waiting == 0 || moment.now - since < patience) return;
  news.push_back({.kind = NewsKind::idle,
                  .scope = "farm",
                  .text = "nobody has worked for " + minutes_text(moment.now - since) + ", and " +
                          std::to_string(waiting) + (waiting == 1 ? " job waits" : " jobs wait"),
                  .since = since});
}

std::vector<News> FarmNews::news(const Moment& moment, const Patience& patience) const {
  std::vector<News> news;
  add_failed(moment.now, news);
  add_finished("batch", &Job::batch, moment.now, news);
  add_finished("project", &Job::project, moment.now, news);
  if (moment.paused) return news;
  // Where nobody works at all, that is what is to be told, and not of each project that it does not advance.
  if (moment.anybody_works) {
    add_stalled(moment, patience.stalled, news);
  } else {
    add_idle(moment, patience.idle, news);
  }
  return news;
}

}  // namespace reelfarm::notify
