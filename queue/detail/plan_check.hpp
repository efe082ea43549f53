#pragma once

#include <map>
#include <string>

#include "queue/job_store.hpp"

namespace reelfarm::queue::detail {

/// Throws std::invalid_argument when a plan breaks the rules of Plan. Returns for each task the tasks that depend on
/// it, separated by spaces. `may_be_partial`: the video of a finished stitch task may lack windows.
std::map<std::string, std::string> check_plan(const std::string& job, const Plan& plan, bool may_be_partial = false);

}  // namespace reelfarm::queue::detail
