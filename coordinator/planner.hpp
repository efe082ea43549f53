#pragma once

#include <cstdint>
#include <string>

#include "coordinator/request_check.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// The tasks of one job, without any effect: an image task when the bundle has to make the first frame, windows in
/// chain order, each waiting for the tail of the one before, and a stitch that may start once window 0 is done.
/// `spec` is complete() for `limits`. Throws Rejected when the grid does not take it.
/// A take with from_window needs the plan of its `parent`: the tasks before that window are the parent's, seeds and
/// keys included, and bytes_needed leaves them out.
queue::Plan plan_job(const std::string& job, const queue::JobSpec& spec, const queue::BundleLimits& limits,
                     const queue::Plan* parent = nullptr);

/// How a size is rendered: up to the next multiple that the bundle takes.
int rendered_side(int asked, const queue::BundleLimits& limits);

/// Bytes of disk that a plan may need at its peak; an upper estimate.
std::uint64_t disk_needed(const std::vector<queue::TaskSpec>& tasks);

}  // namespace reelfarm::coordinator
