#pragma once

#include <optional>
#include <vector>

#include "queue/group.hpp"
#include "queue/job.hpp"
#include "queue/job_store.hpp"
#include "queue/task.hpp"

namespace reelfarm::why {

/// What the farm's records say about one job and its surroundings, read at one time.
struct Facts {
  queue::ServerTime now{};
  queue::JobRecord job;
  std::optional<queue::JobRecord> after;  ///< the job of spec.after, where there still is one
  std::vector<queue::TaskRecord> tasks;
  std::vector<queue::GroupRecord> groups;
  std::vector<queue::HostCrashes> host_crashes;  ///< of the job's windows
  std::vector<queue::JobRecord> others;          ///< other jobs that are queued or running
  std::vector<queue::StitcherRecord> stitchers;
  std::optional<queue::ServerTime> paused;  ///< when, as far as the event stream reaches back
  std::optional<queue::DiskState> disk;     ///< nothing: no coordinator has measured it
  std::optional<queue::FarmPause> farm_pause;
  queue::RetryPolicy retry;
};

/// Reads them; `job` is as it was read just before. Throws as a JobStore does.
Facts gather_facts(queue::JobStore& store, const queue::JobRecord& job);

}  // namespace reelfarm::why
