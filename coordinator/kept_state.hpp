#pragma once

#include <optional>
#include <string>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// DATA/jobs/<job>/state.json: what only Redis knows of a job otherwise, for the day on which it has lost it. There is
/// one as soon as there is something to keep.
struct KeptState {
  queue::SavedChanges changes;
  std::string fingerprint;                   ///< of the groups that render it; empty: none yet
  std::optional<queue::FinishReport> image;  ///< the first frame that text-to-image made, under that fingerprint
  std::optional<queue::SavedEnd> end;        ///< while the job is over
  std::optional<queue::FinishReport> video;  ///< whole, or partial of a job that failed or was cancelled
};

/// Nothing when there is none. Throws queue::CodecError for an unreadable one, artifacts::StorageError.
std::optional<KeptState> read_kept_state(const queue::DataFolder& data, const std::string& job);

/// Writes the file where the job's record says something else. False, and nothing is written, when the file knows of
/// later changes than the record does: Redis has lost them. Throws artifacts::StorageError and queue::Error.
bool keep_state(const queue::DataFolder& data, queue::JobStore& store, const queue::JobRecord& job);

}  // namespace reelfarm::coordinator
