#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/bundle_limits.hpp"
#include "queue/errors.hpp"
#include "queue/event.hpp"
#include "queue/group.hpp"
#include "queue/job.hpp"
#include "queue/task.hpp"

namespace reelfarm::queue {

/// How often a task may go wrong, and how long it then rests: base, doubled each time, at most cap.
struct RetryPolicy {
  int max_crashes = 5;  ///< at one step; then the task is poison
  /// Leases that ran out at one step, because an agent or its whole node died; then the task is poison. Such a death
  /// says less of the task than a crash that an agent saw, and a task that brings nodes down must still end.
  int max_losses = 10;
  int max_failures = 3;      ///< over all attempts; then the task is failed
  int max_host_crashes = 2;  ///< of one job's windows; then the job passes the host by, unless it is the last one
  std::chrono::milliseconds backoff_base{1000};
  std::chrono::milliseconds backoff_cap{60000};
  /// A result is not taken for damaged or lost sooner after it was published: a network file system may show it late
  /// (an NFS client keeps what it knows of a folder for up to 60 s, nfs(5), acdirmax).
  std::chrono::milliseconds input_settle{60000};
};

struct StoreOptions {
  std::string url = "redis://127.0.0.1:6379/0";
  std::string farm = "reelfarm";  ///< hash tag of every key: two farms may share a server
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds command_timeout{10000};
  std::chrono::milliseconds loading_timeout{60000};  ///< how long to wait for a server that is loading its files
  std::chrono::milliseconds lease{15000};            ///< granted by claim, renew and tick
  RetryPolicy retry;
  bool check_server = true;                    ///< refuse an unsafe server at connect (version, eviction, persistence)
  bool allow_volatile = false;                 ///< accept a server without persistence
  int max_events = 100000;                     ///< kept in the event stream, approximately
  std::chrono::hours request_memory{24 * 30};  ///< how long a request id is remembered
  std::chrono::hours rejected_memory{24};      ///< how long the answer to a rejected job is kept
  std::chrono::milliseconds group_timeout{15000};   ///< not seen for longer: a group or stitcher is gone
  std::chrono::milliseconds clock_tolerance{1000};  ///< reap takes a smaller jump of the server's clock for noise
};

/// The answer to a write that carries a fencing token. ok: done. stale: the lease is another's now, or ended: stop,
/// publish nothing. cancelled: the job was cancelled or has failed: stop the work and release. paused: finish the step
/// and release. gone: the task is not there any more (removed). cancelled and paused still renewed the lease, to give
/// time to stop.
enum class ReplyCode { ok, stale, cancelled, paused, gone };
std::string_view to_string(ReplyCode code);

/// The answer to an operator's verb. unchanged: it already is so. refused: not possible in this state (see text).
enum class ChangeCode { ok, unchanged, refused, not_found };
struct Change {
  ChangeCode code = ChangeCode::ok;
  JobState state = JobState::submitted;  ///< of the job afterwards; no meaning when not found
  std::string text;                      ///< why it was refused
};

struct SubmitResult {
  std::string job;
  bool created = true;  ///< false: the request id was seen before and this is its job
};

struct InboxEntry {
  std::string job{};
  JobSpec spec;
  std::int64_t sequence = 0;
  ServerTime submitted{};
};

/// What finish publishes. `digest` identifies the result: the same token and digest again is answered ok.
struct FinishReport {
  std::string digest{};
  Artifact artifact{};
  std::optional<Artifact> tail{};  ///< a window's, unless tail() published it already
  std::string metrics{};           ///< JSON object kept with the task; empty: none
};

/// What the coordinator decided about a job: its spec with defaults filled in and its tasks.
/// Exactly one stitch task, unique ids made by task_id, dependencies only inside the plan and without cycles.
struct Plan {
  JobSpec spec;
  std::vector<TaskSpec> tasks{};
  std::uint64_t bytes_needed = 0;
  /// By task id: what lies on the disk already. Whatever such a task depends on is among them too, and so is everything
  /// where the stitch task is.
  std::map<std::string, FinishReport> finished{};
  std::string fingerprint{};  ///< of the groups that rendered `finished`; empty when no window is in it
};

/// A job's place among the takes of one video.
struct Take {
  std::string family;  ///< id of the first take
  int number = 1;
};

/// How a job ended, as DATA kept it.
struct SavedEnd {
  JobState state = JobState::done;  ///< done, failed or cancelled
  JobError error{};
  ServerTime finished{};
};

/// The file system that DATA lies on, as a coordinator has measured it.
struct DiskState {
  bool full = false;           ///< above the high-water mark: no image and no window is leased, stitching goes on
  std::uint64_t free = 0;      ///< bytes that the farm may still write
  std::uint64_t capacity = 0;  ///< bytes
  double high_water = 0;       ///< percent of the capacity
  ServerTime measured{};       ///< set by the store
};

/// An operator has stopped the whole farm.
struct FarmPause {
  std::string by;
  ServerTime since{};
};

/// What operators have changed of a job, as DATA kept it.
struct SavedChanges {
  std::int64_t revision = 0;  ///< as JobRecord::revision
  bool paused = false;
  std::optional<int> priority{};  ///< nothing: as it was asked
  bool allow_mix = false;
  bool after_waived = false;
  bool used = false;
};

/// What DATA knows of a job.
struct SavedJob {
  JobSpec asked;
  ServerTime submitted{};
  Plan plan;  ///< of a job that has failed or was cancelled, a finished stitch task is the partial video's
  std::optional<SavedEnd> end{};
  SavedChanges changes{};
};

/// unknown: Redis has never heard of the job, or has lost it. known: accepted, in the inbox or rejected. removing:
/// removed, but files of it may be left.
enum class Standing { unknown, known, removing };

/// A job that was taken out of the queue and whose files are to go.
struct Removal {
  std::string job{};
  std::string video{};  ///< relative to DATA; empty: none, or it stays
};

/// Who claims and what they can do.
struct ClaimFilter {
  std::string owner{};  ///< group or stitcher id; a draining group gets nothing
  std::string host{};
  std::vector<TaskKind> kinds = {TaskKind::image, TaskKind::window};
  std::string bundle_hash;  ///< for image and window
  std::string
      fingerprint;  ///< for image and window; the job's own after the first claim, groups with another are refused
  std::string
      dtype{};         ///< for image and window: what the group calculates in; a job that asks for another is passed by
  int max_leases = 0;  ///< refuse when the owner holds this many already; 0: no limit
};

struct ReapResult {
  int requeued = 0;                         ///< leases that ran out; the task may be claimed again
  int poisoned = 0;                         ///< the same, but once too often
  int cancelled = 0;                        ///< the same, but the job is over
  int dropped = 0;                          ///< leases of records that are gone or corrupt
  std::chrono::milliseconds clock_jump{0};  ///< by which the leases were shifted first
};

struct DeadLetter {
  std::string id;       ///< stream id
  std::string kind;     ///< inbox, job, task
  std::string subject;  ///< job or task id
  std::string reason;
  std::string payload;  ///< the bytes that could not be read, if any
  ServerTime time{};
};

/// Crashes and hangs of one job's windows on one host, lost leases included, since the job began or was retried.
struct HostCrashes {
  std::string host;
  int crashes = 0;
  bool blocklisted = false;  ///< passed by for this job while a live group on another host may claim its tasks
};

struct JobQuery {
  std::vector<JobState> states{};  ///< empty: all
  std::string project{};           ///< empty: all
  int limit = 0;                   ///< newest first; 0: no limit
};

/// The farm's queue in Redis. One Lua script per transition (queue/lua), so each call either happened or did not.
/// Not thread-safe: one store per thread. A broken connection is opened again once per call; every transition may
/// be repeated safely. All methods throw ConnectionError, TimeoutError, AuthenticationError and ReplyError.
class JobStore {
 public:
  /// Connects and checks the server. Throws UrlError, UnsupportedServerError, UnsafeServerError, SchemaError as well.
  explicit JobStore(StoreOptions options);
  ~JobStore();
  JobStore(JobStore&&) noexcept;
  JobStore& operator=(JobStore&&) noexcept;

  const StoreOptions& options() const;
  ServerTime now();

  /// The farm's id, which DATA's marker file carries too; empty: no coordinator has been on this Redis yet.
  std::string farm_id();

  // --- submitting (clients) ---

  /// Puts a job into the inbox. Idempotent by spec.request_id (made when empty).
  SubmitResult submit(const JobSpec& spec);

  /// All or none, in order, in one transition.
  std::vector<SubmitResult> submit_batch(const std::vector<JobSpec>& specs);

  // --- the coordinator ---

  /// The oldest entries of the inbox. Entries that cannot be read go to the dead letters and are rejected.
  std::vector<InboxEntry> read_inbox(int limit = 100);

  /// Turns an inbox entry into a queued (or, with --after, held) job, or a done one when its plan is finished.
  /// Idempotent. False: no such entry (cancelled or unknown). Throws std::invalid_argument when the plan breaks its
  /// rules.
  bool accept(const std::string& job, const Plan& plan);

  /// Before accept: the number of a job that is a new take of `parent`, one more than any of its takes has; asked
  /// again, the same. Nobody else gets it while one of the later takes is there.
  Take reserve_take(const std::string& job, const std::string& parent);

  /// Keeps with an inbox entry why it is not accepted yet: JobRecord::waiting. Nothing when there is no such entry.
  void note_waiting(const std::string& job, const std::string& reason);

  void report_disk(const DiskState& disk);

  /// Gives Redis the farm's id, `wanted` or, when that is empty, a new one, if it has none. Returns the one it has.
  std::string adopt_farm_id(const std::string& wanted = "");

  /// What this Redis has of each of `jobs`, of a thousand at one moment.
  std::vector<Standing> standing(const std::vector<std::string>& jobs);

  /// Brings back a lost job, behind all that are there; and one whose record is of an older revision, from before
  /// changes that Redis has lost, in its own place. Leases of the older record end. Idempotent. False: it is in the
  /// inbox, was rejected or is being removed. Throws std::invalid_argument when the plan breaks its rules.
  bool restore(const std::string& job, const SavedJob& saved);

  /// Puts into the dead letters why a lost job cannot be brought back; get_job then answers as for a rejected one.
  void bury(const std::string& job, const std::string& reason, const std::string& payload = "");

  /// Takes an entry out of the inbox; get_job then answers failed with error class "rejected" for a day, and
  /// the request id may be used again. False: no such entry.
  bool reject(const std::string& job, const std::string& reason);

  /// Ends leases that ran out: crash count + 1, ready again after a back-off, or poison. `monotonic_now` is the
  /// caller's steady clock: where the server's clock moved by another amount since the last call, all leases are
  /// shifted by the difference first. The first call of a store, and the first after a lost connection, only grants
  /// every lease a full term: the farm, not the worker, may have been away. Never reads a payload.
  ReapResult reap(std::chrono::steady_clock::time_point monotonic_now = std::chrono::steady_clock::now());

  /// Removes a job and its tasks from Redis. Refused while a task of it runs or will run. Its files are the caller's to
  /// remove: until files_removed the job is among the removals, and nobody brings it back from its files. unchanged: it
  /// is already.
  Change forget(const std::string& job, bool with_video = false);
  std::vector<Removal> removals();
  void files_removed(const std::string& job);
  /// What forget notes, of a job that Redis has lost. False: Redis has the job.
  bool mark_removing(const std::string& job);

  /// Jobs that became terminal before `before`, oldest first.
  std::vector<std::string> finished_before(ServerTime before, int limit = 1000);

  // --- agents and stitchers ---

  /// The first ready task by priority, then submit order, then window; nothing when there is none for this filter.
  /// Unreadable records met on the way go to the dead letters and fail their job.
  std::optional<Lease> claim(const ClaimFilter& filter);

  ReplyCode renew(const FencingToken& token);

  /// Reports progress and renews. A step beyond the furthest so far resets the crash count.
  ReplyCode tick(const FencingToken& token, const Progress& progress);

  /// Publishes a window's tail, which makes the next window ready while this one is still decoded and written. The
  /// first tail published stays: if the window is leased again, its tail is the same bits (same fingerprint), so a
  /// dependent that started from it stays valid. Another sha256 is recorded as a tail_mismatch event, and the first is
  /// kept.
  ReplyCode tail(const FencingToken& token, const Artifact& tail);

  /// Completes a task and makes ready what waited for it; for the stitch task, completes the job. Throws
  /// TransitionError when a stitch that is not partial comes before all windows are done. cancelled: not recorded, the
  /// lease is ended.
  ReplyCode finish(const FencingToken& token, const FinishReport& report);

  /// Reports a failure. data fails the job; crash and hang count as crashes, others as failures, and both are
  /// retried after a back-off until RetryPolicy says otherwise. The lease is ended.
  ReplyCode fail(const FencingToken& token, FailureClass failure, const std::string& message);

  /// Gives a task back unharmed (drain, pause, preemption): counted apart, no back-off but `delay`. With `preempted`
  /// false nothing is counted: a stitcher that waits for windows.
  ReplyCode release(const FencingToken& token, const std::string& reason, bool preempted = true,
                    std::chrono::milliseconds delay = std::chrono::milliseconds(0));

  /// The task cannot be done because what `input`, another task of its job, left is damaged or gone. The lease is ended
  /// with nothing counted; `input` is done again, which counts as one of its failures, and the task waits for it. A
  /// result younger than RetryPolicy::input_settle is looked at once more first. `digest`: of the result as the lease
  /// showed it (Artifact::sha256), empty when there was only a tail. Throws TransitionError when `input` is none of the
  /// job's other tasks.
  ReplyCode reject_input(const FencingToken& token, const std::string& input, const std::string& digest,
                         const std::string& message);

  // --- operators ---

  /// Waiting and ready tasks go at once; leased ones hear it at their next tick. Done windows are still stitched to a
  /// partial file.
  Change cancel(const std::string& job, const std::string& reason = "");
  Change pause(const std::string& job);   ///< no new windows; running ones finish their step and are released
  Change resume(const std::string& job);  ///< undoes pause and hold
  /// Of the whole farm: no image and no window is leased, running ones finish their step and are released; what is
  /// stitched goes on. It outlives a restart of Redis, and a Redis that has lost everything goes on. False: it was so.
  bool pause_farm(const std::string& by);
  bool resume_farm(const std::string& by);
  /// A failed or cancelled job goes on from what is done; counts of crashes and failures start again.
  Change retry(const std::string& job);
  Change set_priority(const std::string& job, int priority);
  Change allow_mix(const std::string& job, bool allow);
  /// Chooses which take is delivered, `job` being any of them. Refused unless that take is done.
  Change use_take(const std::string& job, int take);

  // --- reading ---

  std::optional<JobRecord> get_job(const std::string& job);
  std::vector<JobRecord> list_jobs(const JobQuery& query = {});
  std::map<std::string, JobState> job_states();  ///< of all that list_jobs gives
  /// Throws CodecError when the record cannot be read; get_tasks shows such a one as corrupt.
  std::optional<TaskRecord> get_task(const std::string& task);
  std::vector<TaskRecord> get_tasks(const std::string& job);  ///< image, windows in order, stitch
  std::optional<DiskState> disk_state();                      ///< nothing: not measured yet
  std::optional<FarmPause> farm_pause();                      ///< nothing: the farm goes on
  /// Bytes that jobs which are not over may still write: of JobRecord::bytes_needed, the share of windows not done.
  std::uint64_t reserved_bytes();
  std::vector<HostCrashes> host_crashes(const std::string& job);  ///< by host
  std::vector<JobRecord> takes(const std::string& job);           ///< of the same video, by number; empty: no such job
  int used_take(const std::string& job);                          ///< chosen, else the newest that is done; 0: none is
  int used_take(const std::vector<JobRecord>& takes);             ///< the same of what takes() gave
  std::vector<FencingToken> leases();                             ///< every lease now
  std::vector<DeadLetter> dead_letters(int limit = 100);          ///< newest first

  // --- groups and bundles ---

  void register_group(const GroupRecord& group);
  /// Keeps a group alive and reports its state. Answers whether an operator asked it to drain. A group that Redis
  /// has lost is registered again, with the bundles that this store registered, if this store registered it.
  bool heartbeat_group(const std::string& group, GroupState state, const std::string& note = "");
  bool request_drain(const std::string& group, bool drain = true);  ///< false: no such group
  void remove_group(const std::string& group);
  std::vector<GroupRecord> list_groups();
  /// Makes a stitcher known and keeps it so; `tasks`, `last_seen` and `gone` are not read.
  void heartbeat_stitcher(const StitcherRecord& stitcher);
  void remove_stitcher(const std::string& stitcher);
  std::vector<StitcherRecord> list_stitchers();
  void register_bundle(const BundleLimits& limits);
  std::vector<BundleLimits> list_bundles();  ///< last registered first
  /// By name, the last registered first; an empty name gives all.
  std::vector<BundleLimits> find_bundles(const std::string& name);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::queue
