#pragma once

#include "cli/report/night.hpp"

namespace reelfarm::cli {

/// Of the windows among `tasks` that were rendered to their end since then. Pure.
WindowFigures window_figures(const std::vector<queue::TaskRecord>& tasks, queue::ServerTime since);

}  // namespace reelfarm::cli
