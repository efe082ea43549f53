#pragma once

#include <chrono>
#include <vector>

#include "cli/arguments.hpp"
#include "coordinator/submission/job_request.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// What enqueue and its relatives share.
struct SubmitOptions {
  bool as_json = false;
  bool waiting = false;  ///< follow the jobs to their end
  bool dry_run = false;
  std::string announcement{};  ///< not empty: printed, with what the jobs take, before they are submitted
  std::chrono::milliseconds patience{10'000};  ///< for a coordinator's word
};

/// --json, --wait, --dry-run and --accept-timeout, where the command has them. Throws BadInput.
SubmitOptions submit_options(const Arguments& arguments);

/// Checks all requests, submits all or none and prints what they take and what became of them. Returns the exit code:
/// with `waiting` how the jobs ended. Throws BadInput when one of them cannot be done; then nothing is queued.
int submit_and_report(const std::vector<coordinator::JobRequest>& requests, queue::JobStore& store,
                      const queue::DataFolder& data, const SubmitOptions& options);

}  // namespace reelfarm::cli
