#pragma once

#include <string>
#include <vector>

#include "tests/chaos/farm.hpp"

namespace reelfarm::chaos {

/// Prints what `reelfarm` says about the jobs and the groups, and the ends of the logs.
void report_hang(Farm& farm, const std::vector<std::string>& jobs);

}  // namespace reelfarm::chaos
