#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/report/night.hpp"

namespace reelfarm::cli {

/// The report for people, several lines.
std::string text_of(const NightReport& report);

/// One page without scripts and without anything from elsewhere, to be mailed or put on a server.
std::string html_of(const NightReport& report);

/// What text and page say alike.
std::string jobs_text(const NightReport& report);
std::string windows_text(const WindowFigures& windows);

nlohmann::json json_of(const NightReport& report);

}  // namespace reelfarm::cli
