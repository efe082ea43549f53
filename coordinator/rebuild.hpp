#pragma once

#include <string>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

struct RebuildResult {
  int restored = 0;
  int unreadable = 0;  ///< went to the dead letters
};

/// Brings back every job that has a folder in DATA and that Redis does not know: after a FLUSHALL by mistake, a lost
/// volume, or a fail-over that lost the last accepted job. What its files prove to be done is done (state.json, then
/// the windows themselves); the rest is rendered again. In the order of submission. Jobs that are there are not
/// touched, and those whose removal had begun are noted for the janitor, so it may be repeated, and two coordinators
/// may do it at once. Throws queue::Error and artifacts::StorageError.
RebuildResult rebuild(queue::JobStore& store, const queue::DataFolder& data);

/// The same for one job whose record is older than its state.json: after a fail-over to a replica that lost the last
/// second, say. Nothing happens where the record is not older. Throws queue::CodecError for an unreadable job.json,
/// artifacts::ArtifactError and queue::Error.
void bring_back(queue::JobStore& store, const queue::DataFolder& data, const std::string& job);

}  // namespace reelfarm::coordinator
