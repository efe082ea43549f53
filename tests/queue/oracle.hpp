#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "queue/job_store.hpp"

namespace reelfarm::queue::test {

/// What the farm's state machine should do, written down without Redis: plain records, no indexes, every question
/// answered by looking at all of them. Time is in milliseconds and stands still but for `now`.
class Oracle {
 public:
  explicit Oracle(const StoreOptions& options) : options_(options) {}

  struct Task {
    TaskSpec spec;
    TaskState state = TaskState::waiting;
    FencingToken token;        ///< of the last claim
    std::string host;          ///< of the last claim
    std::int64_t claim = 0;    ///< its number among all claims
    FencingToken ended_token;  ///< of the last lease that ended, which the task may have outlived
    std::string ended;         ///< the verb that ended it
    int crashes = 0;
    int losses = 0;
    int failures = 0;
    int preemptions = 0;
    int step = 0;
    int step_reached = 0;
    std::string tail;
    std::string digest;
    std::int64_t not_before = 0;
    std::int64_t expires = 0;
    std::int64_t finished = 0;  ///< when it was done
    bool rejected = false;      ///< a result of it was given up once
    bool partial = false;
    int window_limit = 0;
  };
  struct Job {
    std::string id;
    std::int64_t sequence = 0;
    int priority = 0;
    JobState state = JobState::submitted;
    bool accepted = false;
    bool paused = false;
    bool held = false;
    bool started = false;
    bool mix = false;
    bool partial = false;
    bool closed = false;
    std::string fingerprint;
    std::string dtype;
    std::string after;
    std::uint64_t bytes_needed = 0;
    std::map<std::string, int> host_crashes;
    std::map<std::string, std::int64_t> crashed;  ///< by owner: claims there had been in all at its last crash
    std::vector<Task> tasks;
    std::set<std::string> followers;
  };

  std::int64_t now = 0;
  std::map<std::string, Job> jobs;
  std::set<std::string> removing;  ///< jobs that were removed and whose files may be left
  std::map<std::string, GroupRecord> groups;
  bool disk_full = false;
  bool farm_paused = false;

  void register_group(const GroupRecord& group);

  /// Bytes that a job may still write.
  static std::uint64_t reserved(const Job& job);

  void submit(const std::string& job, std::int64_t sequence);
  bool accept(const std::string& job, const Plan& plan);
  void reject(const std::string& job) { jobs.erase(job); }

  /// The task a claim must give; `grant` then records the lease the store made of it.
  const Task* next(const ClaimFilter& filter);
  void grant(const FencingToken& token, const ClaimFilter& filter);

  ReplyCode renew(const FencingToken& token);
  ReplyCode tick(const FencingToken& token, int step);
  /// nothing: a TransitionError is due
  std::optional<ReplyCode> tail(const FencingToken& token, const std::string& sha256);
  std::optional<ReplyCode> finish(const FencingToken& token, const FinishReport& report);
  ReplyCode fail(const FencingToken& token, FailureClass failure);
  ReplyCode release(const FencingToken& token, bool preempted, std::int64_t delay);
  std::optional<ReplyCode> reject_input(const FencingToken& token, const std::string& input, const std::string& digest);
  ReapResult reap(std::int64_t shift);

  ChangeCode cancel(const std::string& job);
  ChangeCode pause(const std::string& job);
  ChangeCode resume(const std::string& job);
  ChangeCode retry(const std::string& job);
  ChangeCode set_priority(const std::string& job, int priority);
  ChangeCode allow_mix(const std::string& job, bool allow);
  ChangeCode forget(const std::string& job);
  void files_removed(const std::string& job) { removing.erase(job); }

 private:
  struct Place {
    Job* job = nullptr;
    Task* task = nullptr;
    ReplyCode code = ReplyCode::gone;
  };
  Place fence(const FencingToken& token);
  static bool repeated(const Place& place, const FencingToken& token, const std::string& verb);
  /// The answer to a verb that gives a lease back where there is none to give back, or its job is over.
  std::optional<ReplyCode> nothing_to_end(const Place& place, const FencingToken& token, const std::string& verb);
  Job* live(const std::string& job, ChangeCode& code);
  bool passed_by(const Job& job, const Task& task, const ClaimFilter& filter) const;
  void crashed(Job& job, const Task& task);
  bool met(const Job& job, const Task& task) const;
  void settle(Job& job);
  void extend(Task& task) { task.expires = now + options_.lease.count(); }
  void rest(Task& task, std::int64_t delay);
  void rest_again(const Job& job, Task& task, std::int64_t delay);
  /// What rests and need not any more has rested for good, whatever the clock does next. The store notices that when
  /// it looks at a task: at a claim, and when a job's tasks are entered anew.
  void reindex(Job& job);
  void end(Task& task, TaskState state, const std::string& verb);
  bool count(Job& job, Task& task, int& counter, int limit, TaskState final, const std::string& verb);
  void over(Job& job, JobState state);
  void abandon(Job& job, JobState state);
  void close(Job& job);
  static JobState live_state(const Job& job);

  StoreOptions options_;
  std::int64_t claims_ = 0;
};

inline bool is_render(const Oracle::Task& task) {
  return task.spec.kind != TaskKind::stitch;
}

}  // namespace reelfarm::queue::test
