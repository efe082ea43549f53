#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "coordinator/job_view.hpp"

namespace reelfarm::page {

/// Seconds until the job's windows are rendered, from how long its own took; nothing when it is not under way or too
/// little is known.
std::optional<double> seconds_left(const coordinator::JobView& view);

/// One line of a list: no windows, but how many of them are done.
nlohmann::json summary_json(const coordinator::JobView& view);

/// Everything about one job, with its windows and where each stands.
nlohmann::json job_json(const coordinator::JobView& view, const std::vector<queue::TaskRecord>& tasks);

}  // namespace reelfarm::page
