#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// What the report is made from.
struct NightRecords {
  queue::ServerTime since{};
  queue::ServerTime now{};
  std::optional<queue::ServerTime> oldest_event;  ///< that is still kept
  std::vector<queue::Event> events;               ///< since then, in order
  std::vector<queue::JobRecord> jobs;             ///< all
  std::vector<queue::TaskRecord> tasks;           ///< of jobs that were under way since then
  std::vector<queue::GroupRecord> groups;
  std::vector<queue::StitcherRecord> stitchers;
  std::vector<queue::DeadLetter> dead_letters;  ///< all that are kept
};

/// Reads the records of the last `span`.
NightRecords read_night(queue::JobStore& store, std::chrono::milliseconds span);

/// What went wrong on one host.
struct HostTrouble {
  int crashes = 0;      ///< of tasks, hangs and lost leases among them
  int hangs = 0;        ///< among the crashes: no tick by the deadline
  int errors = 0;       ///< reported by tasks that did not crash
  int released = 0;     ///< windows given back unharmed: drained or preempted
  int claims_anew = 0;  ///< tasks that it took over from an earlier attempt
};

/// Windows that became done since then.
struct WindowFigures {
  int count = 0;
  double median_seconds = 0;  ///< from claim to done
  double worst_seconds = 0;
  std::string worst_task{};
  std::int64_t frames = 0;       ///< that they added to their videos
  double frames_per_minute = 0;  ///< over the time in which at least one window was rendered
};

struct EndedJob {
  std::string job;
  std::string name;
  std::string reason;
};

/// Something that does not go on by itself.
struct NeedsHand {
  std::string subject;  ///< a job, group, host, or what a dead letter is about
  std::string what;     ///< for people
};

struct NightReport {
  queue::ServerTime since{};
  queue::ServerTime until{};
  std::optional<queue::ServerTime> events_from;  ///< set when the event stream begins only after `since`
  std::map<queue::JobState, int> jobs;           ///< that ended since then, or are under way
  std::vector<EndedJob> failed;
  WindowFigures windows;
  std::map<std::string, HostTrouble> hosts;  ///< only those with trouble
  std::vector<NeedsHand> needs_hand;
};

/// Pure.
NightReport make_report(const NightRecords& records);

}  // namespace reelfarm::cli
