#pragma once

#include <string_view>

namespace reelfarm::cli {

/// What the jobs do, as it stands in slurm/*.sh.
extern const std::string_view kSignals;  ///< stands before either of the others
extern const std::string_view kFarmBody;
extern const std::string_view kGroupBody;

}  // namespace reelfarm::cli
