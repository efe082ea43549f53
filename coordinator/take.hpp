#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/errors.hpp"
#include "coordinator/job_file.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// The job whose windows a new take goes on from.
struct Parent {
  JobFile file;
  queue::JobRecord record;
  std::vector<queue::TaskRecord> tasks;
};

/// The parent of a take with from_window; nothing for any other job. Throws Rejected when there is no such job or
/// window, or when a window before from_window is not done or not on the disk any more, and NotYet while the parent
/// itself waits.
std::optional<Parent> find_parent(queue::JobStore& store, const queue::DataFolder& data, const queue::JobSpec& spec);

/// Throws Rejected unless the windows of `parent` fit into the take: everything but prompt and seed must be the same.
void require_same_video(const queue::JobSpec& take, const queue::JobSpec& parent);

/// Gives the take files of its own of all that it takes over from its parent, which may be removed from then on: hard
/// links where the disk has them. Enters them in plan.finished and plan.fingerprint. May be repeated. Throws
/// artifacts::ArtifactError, Rejected when a file went away in between.
void take_over(const queue::DataFolder& data, const Parent& parent, const std::string& job, queue::Plan& plan);

}  // namespace reelfarm::coordinator
