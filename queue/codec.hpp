#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "queue/bundle_limits.hpp"
#include "queue/group.hpp"
#include "queue/job.hpp"
#include "queue/task.hpp"

namespace reelfarm::queue {

/// Written into every stored JSON document as "schema". A reader refuses any other number with SchemaError.
inline constexpr int kSchema = 1;

/// Each to_json gives one JSON object with "schema"; each *_from_json throws SchemaError for another schema and
/// CodecError naming the document and field for anything missing or of the wrong type. Unknown fields are ignored.
nlohmann::json to_json(const JobSpec& spec);
nlohmann::json to_json(const TaskSpec& spec);
nlohmann::json to_json(const Artifact& artifact);
nlohmann::json to_json(const GroupRecord& group);
nlohmann::json to_json(const BundleLimits& limits);
JobSpec job_spec_from_json(const nlohmann::json& document);
TaskSpec task_spec_from_json(const nlohmann::json& document);
Artifact artifact_from_json(const nlohmann::json& document);
GroupRecord group_from_json(const nlohmann::json& document);
BundleLimits bundle_limits_from_json(const nlohmann::json& document);

/// The same as compact text; the parsing forms throw CodecError with the position when it is not JSON.
std::string encode(const JobSpec& spec);
std::string encode(const TaskSpec& spec);
std::string encode(const Artifact& artifact);
std::string encode(const GroupRecord& group);
std::string encode(const BundleLimits& limits);
JobSpec decode_job_spec(std::string_view text);
TaskSpec decode_task_spec(std::string_view text);
Artifact decode_artifact(std::string_view text);
GroupRecord decode_group(std::string_view text);
BundleLimits decode_bundle_limits(std::string_view text);

}  // namespace reelfarm::queue
