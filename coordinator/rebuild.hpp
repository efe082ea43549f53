#pragma once

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

struct RebuildResult {
  int restored = 0;
  int unreadable = 0;  ///< went to the dead letters
};

/// Brings back every job that has a folder in DATA and that Redis does not know: after a FLUSHALL by mistake, a lost
/// volume, or a fail-over that lost the last accepted job. What its files prove to be done is done (end.json, then the
/// windows themselves); the rest is rendered again. In the order of submission. Jobs that are there are not touched, so
/// it may be repeated, and two coordinators may do it at once. Throws queue::Error and artifacts::StorageError.
RebuildResult rebuild(queue::JobStore& store, const queue::DataFolder& data);

}  // namespace reelfarm::coordinator
