#pragma once

#include <map>
#include <string>

#include "queue/job_store.hpp"

namespace reelfarm::queue::detail {

/// Throws std::invalid_argument when a plan breaks the rules of Plan. Returns for each task the tasks that depend on
/// it, separated by spaces.
std::map<std::string, std::string> check_plan(const std::string& job, const Plan& plan);

}  // namespace reelfarm::queue::detail
