#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/weights/published_report.hpp"

namespace reelfarm::bundle {

/// For people: what weights that are no bundle are, and what they need to become one.
std::string description(const weights::PublishedReport& report);

/// The same for programs.
nlohmann::json report_json(const weights::PublishedReport& report);

}  // namespace reelfarm::bundle
