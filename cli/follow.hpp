#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "coordinator/job_view.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

struct FollowOptions {
  std::chrono::milliseconds interval{500};
  std::map<std::string, double> window_seconds;  ///< job -> expected seconds of a window, for the time left
  bool known = false;                            ///< the jobs are there, so that one that is not has been lost
  std::chrono::seconds partial_patience{30};     ///< how long a failed or cancelled job may take to stitch what is done
  std::chrono::seconds lost_patience{300};       ///< how long a coordinator may take to bring a lost job back
};

struct FollowResult {
  bool interrupted = false;
  std::vector<coordinator::JobView> views;  ///< in the order of the jobs
};

/// Shows progress on stderr until all jobs are done, failed or cancelled, or until Ctrl-C. A farm that goes away
/// is waited for, and so is a job that Redis loses and that DATA still has. Throws BadInput for a job that does not
/// exist, FarmUnreachable for one that was there and does not come back.
FollowResult follow(queue::JobStore& store, const queue::DataFolder& data, const std::vector<std::string>& jobs,
                    const FollowOptions& options);

/// The exit code that says how the jobs ended: the worst of them.
int exit_code_of(const std::vector<coordinator::JobView>& views);

/// The view of one job now; throws BadInput when it does not exist.
coordinator::JobView view_of(queue::JobStore& store, const queue::DataFolder& data, const std::string& job);

}  // namespace reelfarm::cli
