#pragma once

#include <chrono>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

struct JanitorOptions {
  std::chrono::hours keep_for_reroll{24 * 7};  ///< how long the windows of a done job with keep=reroll stay
  std::chrono::hours stale_after{24};          ///< age at which a half-written file of nobody goes
};

struct JanitorResult {
  int jobs_cleaned = 0;
  int files_removed = 0;
  int steps_removed = 0;  ///< jobs whose kept latents went
  int removals_ended = 0;
};

/// Removes the windows of done jobs as their `keep` says (final: at once, reroll: after a time, all: never), and files
/// that a killed process left half written. Jobs that failed or were cancelled keep theirs: a retry goes on from them.
/// None go before state.json says that the job is done.
/// A removal that was interrupted is brought to its end. What ranks kept of windows that were never finished goes a day
/// after the job's end, so a retry soon enough has it.
JanitorResult clean(queue::JobStore& store, const queue::DataFolder& data, const JanitorOptions& options);

}  // namespace reelfarm::coordinator
