#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// A finished task's report as the files in DATA hold it. report_from_json throws queue::CodecError and
/// nlohmann::json::exception.
nlohmann::json to_json(const queue::FinishReport& report);
queue::FinishReport report_from_json(const nlohmann::json& document);

/// Throws queue::SchemaError unless a document of DATA, its file called `name`, is of this program's schema, and
/// nlohmann::json::exception when it does not say which it is.
void require_schema(const nlohmann::json& document, const std::string& name);

}  // namespace reelfarm::coordinator
