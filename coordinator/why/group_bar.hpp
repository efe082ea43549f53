#pragma once

#include <string_view>
#include <vector>

#include "queue/group.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::why {

/// Why a worker group does not take a ready task of a job; none: it may take it at once. blocklisted: its host crashed
/// the job's windows, and another host is left. busy: it could, and has its hands full.
enum class GroupBar {
  none,
  gone,
  failed,
  other_bundle,
  other_fingerprint,
  other_dtype,
  draining,
  blocklisted,
  starting,
  note,
  busy
};

std::string_view to_string(GroupBar bar);

/// What bars each of the groups, in their order: the first of the reasons in the order of GroupBar, so that what no
/// waiting will change stands before what passes.
std::vector<GroupBar> bars_of(const std::vector<queue::GroupRecord>& groups, const queue::JobRecord& job,
                              const std::vector<queue::HostCrashes>& host_crashes);

}  // namespace reelfarm::why
