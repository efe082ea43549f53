#pragma once

#include "coordinator/submission/job_request.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// Asks for another take of a job, just as that was asked for, seed included, with all windows rendered anew. It waits
/// for another job only if the first one still does.
JobRequest new_take_of(queue::JobStore& store, const queue::JobRecord& job);

}  // namespace reelfarm::coordinator
