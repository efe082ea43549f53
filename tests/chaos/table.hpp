#pragma once

#include <string>

#include "tests/chaos/campaign.hpp"

namespace reelfarm::chaos {

/// Faults by kind, with the median and the worst time until the tasks that each held up went on; then the sums.
/// `disk`: why the disk was not filled, empty if it was.
std::string make_table(const Campaign& campaign, const Outcome& outcome, const std::string& disk);

}  // namespace reelfarm::chaos
