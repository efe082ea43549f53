#pragma once

#include <string_view>

#include "queue/group.hpp"
#include "queue/job.hpp"

namespace reelfarm::cli {

/// Why a worker group does not take a ready task of a job; none: it may take it at once. busy: it could, and has its
/// hands full.
enum class GroupBar {
  none,
  gone,
  failed,
  other_bundle,
  other_fingerprint,
  other_dtype,
  starting,
  draining,
  note,
  busy
};

std::string_view to_string(GroupBar bar);

/// The first of the reasons in the order of GroupBar: what no waiting will change stands before what passes.
GroupBar bar_of(const queue::GroupRecord& group, const queue::JobRecord& job);

}  // namespace reelfarm::cli
