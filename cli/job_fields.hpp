#pragma once

#include "cli/arguments.hpp"
#include "coordinator/submission/job_request.hpp"

namespace reelfarm::cli {

/// The job options among the arguments.
coordinator::JobFields fields_of(const Arguments& arguments);

}  // namespace reelfarm::cli
