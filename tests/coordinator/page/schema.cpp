#include "tests/coordinator/page/schema.hpp"

#include <algorithm>

namespace reelfarm::test {
namespace {

using nlohmann::json;

bool is_of_type(const json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return type == "null" && value.is_null();
}

bool is_of_one_type(const json& value, const json& types) {
  if (types.is_string()) return is_of_type(value, types.get<std::string>());
  return std::any_of(types.begin(), types.end(), [&](const json& type) { return is_of_type(value, type); });
}

std::string object_error(const json& document, const json& schema, const json& value, const std::string& where) {
  for (const json& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) return where + " lacks " + name.get<std::string>();
  }
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, member] : value.items()) {
    if (properties.contains(name)) {
      const std::string error = schema_error(document, properties.at(name), member, where + "." + name);
      if (!error.empty()) return error;
    } else if (schema.value("additionalProperties", json(true)) == false) {
      return where + " has " + name + ", which is not described";
    }
  }
  return "";
}

}  // namespace

std::string schema_error(const json& document, const json& schema, const json& value, const std::string& where) {
  if (schema.contains("$ref")) {
    const auto target = schema.at("$ref").get<std::string>();
    return schema_error(document, document.at(json::json_pointer(target.substr(1))), value, where);
  }
  if (schema.contains("type") && !is_of_one_type(value, schema.at("type"))) {
    return where + " is " + value.dump() + ", not " + schema.at("type").dump();
  }
  if (schema.contains("enum")) {
    const json& known = schema.at("enum");
    if (std::find(known.begin(), known.end(), value) == known.end()) return where + " is " + value.dump();
  }
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string error =
          schema_error(document, schema.at("items"), value[i], where + "[" + std::to_string(i) + "]");
      if (!error.empty()) return error;
    }
  }
  return value.is_object() ? object_error(document, schema, value, where) : "";
}

}  // namespace reelfarm::test
