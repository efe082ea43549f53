#include "pipeline/tokenizers/detail/json_access.hpp"

#include <fstream>

#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;

const json* present(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

const json& required(const json& object, const char* key, const char* expected) {
  const json* value = present(object, key);
  if (value == nullptr) throw TokenizerError(std::string("\"") + key + "\" is missing, expected " + expected);
  return *value;
}

[[noreturn]] void wrong(const char* key, const char* expected, const json& found) {
  throw TokenizerError(std::string("\"") + key + "\": expected " + expected + ", found " +
                       found.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 60));
}

}  // namespace

json read_json(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw TokenizerError("tokenizers: cannot open " + file.string());
  json root;
  try {
    root = json::parse(stream);
  } catch (const json::exception& error) {
    throw TokenizerError("tokenizers: " + file.string() + ": not valid JSON: " + error.what());
  }
  if (!root.is_object()) throw TokenizerError("tokenizers: " + file.string() + ": expected an object");
  return root;
}

const json& array_at(const json& object, const char* key) {
  const json& value = required(object, key, "an array");
  if (!value.is_array()) wrong(key, "an array", value);
  return value;
}

const json& object_at(const json& object, const char* key) {
  const json& value = required(object, key, "an object");
  if (!value.is_object()) wrong(key, "an object", value);
  return value;
}

std::string text_at(const json& object, const char* key) {
  const json& value = required(object, key, "a string");
  if (!value.is_string()) wrong(key, "a string", value);
  return value.get<std::string>();
}

std::int64_t id_at(const json& object, const char* key) {
  return as_id(required(object, key, "a token id"), key);
}

bool flag_at(const json& object, const char* key, bool fallback) {
  const json* value = present(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) wrong(key, "true or false", *value);
  return value->get<bool>();
}

std::string text_at(const json& object, const char* key, const std::string& fallback) {
  return present(object, key) == nullptr ? fallback : text_at(object, key);
}

std::int64_t as_id(const json& value, const std::string& what) {
  constexpr std::int64_t kMax = (std::int64_t{1} << 31) - 1;
  const std::int64_t id = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  if (id < 0 || id > kMax) wrong(what.c_str(), "a token id", value);
  return id;
}

std::string type_of(const json& object, const char* what) {
  if (!object.is_object()) throw TokenizerError(std::string(what) + ": expected an object with a \"type\"");
  return text_at(object, "type");
}

}  // namespace reelfarm::tokenizers::detail
