#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/submission/estimate.hpp"
#include "coordinator/submission/job_request.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// One job about to be submitted, and what is known of it beforehand.
struct Candidate {
  queue::JobSpec spec;
  std::string image;                ///< file to copy; empty: none
  std::optional<queue::Plan> plan;  ///< nothing when no bundle is registered yet
  std::optional<queue::BundleLimits> bundle;
  std::vector<std::string> warnings;
  std::optional<WindowEstimate> estimate;

  /// Windows that are rendered anew; 0 while there is no plan.
  int windows_to_render() const;
};

/// Checks every request as the coordinator will, with the same code, looks at images and makes one job of each variant.
/// Nothing is written. Throws BadInput beginning with where the request stands.
std::vector<Candidate> check_requests(const std::vector<JobRequest>& requests, queue::JobStore& store,
                                      const queue::DataFolder& data);

/// The checks that need no farm. Throws BadInput.
void check_without_farm(const std::vector<JobRequest>& requests);

/// Copies the images into the farm. Throws BadInput when DATA is not this farm's.
void store_inputs(const std::vector<Candidate>& candidates, queue::JobStore& store, const queue::DataFolder& data);

/// Submits all or none and waits until a coordinator has decided about each, at most `patience` from one decision to
/// the next. Returns job ids in order. When one is rejected, the others are taken back. Throws BadInput with the
/// coordinator's words.
std::vector<std::string> submit_all(const std::vector<Candidate>& candidates, queue::JobStore& store,
                                    std::chrono::milliseconds patience);

}  // namespace reelfarm::coordinator
