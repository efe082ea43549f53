#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace reelfarm::weights::detail {

/// Parses JSON in which no object has a key twice and nothing is nested deeper than 64. `what` opens the message of the
/// WeightError that a violation throws.
nlohmann::json parse_strict_json(std::string_view text, const std::string& what);

/// Reads and parses a JSON file of at most `max_bytes`. Throws WeightError.
nlohmann::json read_strict_json(const std::filesystem::path& file, std::size_t max_bytes = 64 << 20);

/// `value` as JSON text, cut to 60 characters: for "found ..." in messages.
std::string shown(const nlohmann::json& value);

}  // namespace reelfarm::weights::detail
