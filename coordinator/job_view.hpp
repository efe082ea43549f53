#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// What is shown of one window; states are those of jobs.
struct WindowView {
  int index = 0;
  std::string state;
  std::string detail;  ///< for people: "waiting", "crashed too often", ...
  std::int64_t attempt = 0;
  int step = 0;
  int steps = 0;
  std::string phase;
  double fraction = 0;  ///< of the whole window, 0..1
  double seconds = 0;   ///< taken so far, or in all when done
};

/// What is shown of one job.
struct JobView {
  queue::JobRecord job;
  std::vector<WindowView> windows;
  std::string output;   ///< absolute path of the published video; empty: none yet
  double stitched = 0;  ///< fraction
  bool stitching = false;

  int windows_done() const;
};

/// How long the task's last owner has held it, or held it until it was over; 0 when nobody has it.
double seconds_held(const queue::TaskRecord& task, queue::ServerTime now);

/// `tasks` may be empty for a job that is not accepted yet. `now` is the server's.
JobView make_view(const queue::JobRecord& job, const std::vector<queue::TaskRecord>& tasks,
                  const queue::DataFolder& data, queue::ServerTime now);

/// As the interface fixes it: {"job","state","name","project","frames","windows":[...],"output","error"}.
nlohmann::json to_json(const JobView& view);

}  // namespace reelfarm::coordinator
