#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace reelfarm::tokenizers::detail {

/// Parses a JSON file whose root is an object. Throws TokenizerError naming it.
nlohmann::json read_json(const std::filesystem::path& file);

/// `object[key]`; throws TokenizerError when it is absent or not of the type that the name says.
const nlohmann::json& array_at(const nlohmann::json& object, const char* key);
const nlohmann::json& object_at(const nlohmann::json& object, const char* key);
std::string text_at(const nlohmann::json& object, const char* key);
std::int64_t id_at(const nlohmann::json& object, const char* key);

/// The same with a fallback for an absent or null key.
bool flag_at(const nlohmann::json& object, const char* key, bool fallback);
std::string text_at(const nlohmann::json& object, const char* key, const std::string& fallback);

/// A token id: 0 or more, below 2^31.
std::int64_t as_id(const nlohmann::json& value, const std::string& what);

/// `object["type"]`, the kind of a normalizer, pre-tokenizer, post-processor or model.
std::string type_of(const nlohmann::json& object, const char* what);

}  // namespace reelfarm::tokenizers::detail
