#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "cli/job_view.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

struct FollowOptions {
  std::chrono::milliseconds interval{500};
  std::map<std::string, double> window_seconds;  ///< job -> expected seconds of a window, for the time left
  std::chrono::seconds partial_patience{30};     ///< how long a failed or cancelled job may take to stitch what is done
};

struct FollowResult {
  bool interrupted = false;
  std::vector<JobView> views;  ///< in the order of the jobs
};

/// Shows progress on stderr until all jobs are done, failed or cancelled, or until Ctrl-C. A farm that goes away
/// is waited for. Throws BadInput for a job that does not exist.
FollowResult follow(queue::JobStore& store, const queue::DataFolder& data, const std::vector<std::string>& jobs,
                    const FollowOptions& options);

/// The exit code that says how the jobs ended: the worst of them.
int exit_code_of(const std::vector<JobView>& views);

/// The view of one job now; throws BadInput when it does not exist.
JobView view_of(queue::JobStore& store, const queue::DataFolder& data, const std::string& job);

}  // namespace reelfarm::cli
