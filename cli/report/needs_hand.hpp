#pragma once

#include "cli/report/night.hpp"

namespace reelfarm::cli {

/// What stays as it is until somebody acts: failed jobs, jobs that wait for what nobody provides, hosts that jobs pass
/// by, groups that failed or are gone, dead letters. Pure.
std::vector<NeedsHand> what_needs_a_hand(const NightRecords& records);

}  // namespace reelfarm::cli
