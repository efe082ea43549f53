#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/report/night.hpp"

namespace reelfarm::cli {

/// The report for people, several lines.
std::string text_of(const NightReport& report);

nlohmann::json json_of(const NightReport& report);

}  // namespace reelfarm::cli
