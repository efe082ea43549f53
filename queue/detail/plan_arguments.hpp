#pragma once

#include <string>

#include "queue/detail/redis_connection.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue::detail {

/// Appends a plan as enter_plan of the scripts reads it. Throws std::invalid_argument when it breaks the rules of Plan,
/// or when `job` is no job id. `may_be_partial`: as in check_plan.
void append_plan(Arguments& arguments, const std::string& job, const Plan& plan, bool may_be_partial = false);

}  // namespace reelfarm::queue::detail
