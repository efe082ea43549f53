#pragma once

#include <cstdint>

#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// The work that groups could take.
struct Backlog {
  std::int64_t chains = 0;   ///< jobs with windows to render: of each, one window is rendered at a time
  std::int64_t windows = 0;  ///< that are not done
  double seconds = 0;        ///< that they take one group, by the farm's history; 0: it has none
};

/// Jobs that are paused or held, or wait for something else than a group, do not count.
Backlog read_backlog(queue::JobStore& store);

struct AutoscaleLimits {
  std::int64_t least = 0;  ///< while there is work
  std::int64_t most = 1;
  double worth_s = 600;  ///< work that pays for starting one group: queueing, loading weights
};

/// Groups that should be in Slurm's queue, running or waiting; 0 when there is nothing to do. Pure.
std::int64_t wanted_groups(const Backlog& backlog, const AutoscaleLimits& limits);

}  // namespace reelfarm::cli
