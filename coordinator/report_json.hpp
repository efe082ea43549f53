#pragma once

#include <nlohmann/json_fwd.hpp>

#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// A finished task's report as the files in DATA hold it. report_from_json throws queue::CodecError and
/// nlohmann::json::exception.
nlohmann::json to_json(const queue::FinishReport& report);
queue::FinishReport report_from_json(const nlohmann::json& document);

}  // namespace reelfarm::coordinator
