#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "queue/event.hpp"
#include "queue/group.hpp"
#include "queue/job.hpp"
#include "queue/task.hpp"

namespace reelfarm::cli {

/// What a trace is made from.
struct TraceRecords {
  queue::ServerTime now{};
  queue::JobRecord job;
  std::vector<queue::TaskRecord> tasks;
  std::vector<queue::Event> events;  ///< of the job, in order, as far back as they are kept
  std::vector<queue::GroupRecord> groups;
};

/// The job's life in the Trace Event Format that Perfetto and chrome://tracing open: complete events ("X", microseconds
/// since the job was submitted).
///
/// Process 1 is the queue: a row for the job, and one for each task with what it waited for (its windows, a group, a
/// back-off after it went wrong). Every group and stitcher that worked for the job is a process of its own, with a row
/// for what its ranks do together up to the last step (encode, each step) and one for what they do beside the next
/// window (decode, write). All ranks of a group make a step together, and rank 0 says when: there is no row for each.
/// A span that has no end yet ends now and says `running`. Pure.
nlohmann::json timeline_of(const TraceRecords& records);

}  // namespace reelfarm::cli
