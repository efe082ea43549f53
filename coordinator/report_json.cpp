#include "coordinator/report_json.hpp"

#include <nlohmann/json.hpp>

#include "pipeline/artifacts/json_integer.hpp"
#include "queue/codec.hpp"

namespace reelfarm::coordinator {

using nlohmann::json;

json to_json(const queue::FinishReport& report) {
  return {{"digest", report.digest},
          {"artifact", queue::to_json(report.artifact)},
          {"tail", report.tail ? queue::to_json(*report.tail) : json(nullptr)},
          {"metrics", report.metrics}};
}

queue::FinishReport report_from_json(const json& document) {
  queue::FinishReport report;
  report.digest = document.at("digest").get<std::string>();
  report.artifact = queue::artifact_from_json(document.at("artifact"));
  if (!document.at("tail").is_null()) report.tail = queue::artifact_from_json(document.at("tail"));
  report.metrics = document.at("metrics").get<std::string>();
  return report;
}

void require_schema(const json& document, const std::string& name) {
  const int schema = artifacts::json_integer<int>(document, "schema");
  if (schema == queue::kSchema) return;
  throw queue::SchemaError(schema, queue::kSchema, name + " has schema " + std::to_string(schema));
}

}  // namespace reelfarm::coordinator
