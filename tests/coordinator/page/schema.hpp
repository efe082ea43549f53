#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace reelfarm::test {

/// Where `value` breaks `schema`, in words; empty when it does not. Knows what openapi.json uses of JSON Schema: $ref,
/// type, enum, required, properties, additionalProperties and items.
std::string schema_error(const nlohmann::json& document, const nlohmann::json& schema, const nlohmann::json& value,
                         const std::string& where = "$");

}  // namespace reelfarm::test
