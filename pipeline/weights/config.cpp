#include "pipeline/weights/config.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pipeline/weights/detail/near_match.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights {

Config Config::read(const std::filesystem::path& file) {
  nlohmann::json value = detail::read_strict_json(file);
  if (!value.is_object())
    throw WeightError("weights: " + file.string() + ": expected an object, found " + detail::shown(value));
  return {file, std::move(value)};
}

Config::Config(std::filesystem::path file, nlohmann::json value, std::string where)
    : file_(std::move(file)), value_(std::move(value)), where_(std::move(where)) {}

bool Config::has(std::string_view key) const {
  const auto it = value_.find(key);
  return it != value_.end() && !it->is_null();
}

std::int64_t Config::integer(std::string_view key) const {
  const nlohmann::json& value = at(key, "an integer");
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()))
    fail(key, "expected an integer");
  return value.get<std::int64_t>();
}

std::int64_t Config::integer(std::string_view key, std::int64_t fallback) const {
  return has(key) ? integer(key) : fallback;
}

int Config::integer_between(std::string_view key, int fallback, int low, int high) const {
  const std::int64_t value = integer(key, fallback);
  if (value < low || value > high)
    fail(key, "expected an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int>(value);
}

double Config::number(std::string_view key) const {
  const nlohmann::json& value = at(key, "a number");
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail(key, "expected a number");
  return value.get<double>();
}

double Config::number(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

std::string Config::text(std::string_view key) const {
  const nlohmann::json& value = at(key, "a string");
  if (!value.is_string()) fail(key, "expected a string");
  return value.get<std::string>();
}

std::string Config::text(std::string_view key, std::string fallback) const {
  return has(key) ? text(key) : std::move(fallback);
}

bool Config::flag(std::string_view key) const {
  const nlohmann::json& value = at(key, "true or false");
  if (!value.is_boolean()) fail(key, "expected true or false");
  return value.get<bool>();
}

bool Config::flag(std::string_view key, bool fallback) const {
  return has(key) ? flag(key) : fallback;
}

std::vector<std::int64_t> Config::integers(std::string_view key) const {
  const nlohmann::json& value = at(key, "an array of integers");
  std::vector<std::int64_t> integers;
  if (!value.is_array()) fail(key, "expected an array of integers");
  for (const nlohmann::json& element : value) {
    if (!element.is_number_integer()) fail(key, "expected an array of integers");
    integers.push_back(element.get<std::int64_t>());
  }
  return integers;
}

std::vector<std::string> Config::texts(std::string_view key) const {
  const nlohmann::json& value = at(key, "an array of strings");
  std::vector<std::string> texts;
  if (!value.is_array()) fail(key, "expected an array of strings");
  for (const nlohmann::json& element : value) {
    if (!element.is_string()) fail(key, "expected an array of strings");
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

Config Config::object(std::string_view key) const {
  const nlohmann::json& value = at(key, "an object");
  if (!value.is_object()) fail(key, "expected an object");
  return {file_, value, where_ + std::string(key) + "."};
}

void Config::check_keys(std::initializer_list<std::string_view> known) const {
  for (const auto& item : value_.items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    const std::vector<std::string> names(known.begin(), known.end());
    throw WeightError("weights: " + file_.string() + ": unknown key \"" + where_ + item.key() + "\"" +
                      detail::did_you_mean(item.key(), names));
  }
}

void Config::fail(std::string_view key, const std::string& message) const {
  const auto it = value_.find(key);
  throw WeightError("weights: " + file_.string() + ": \"" + where_ + std::string(key) + "\": " + message +
                    (it == value_.end() ? "" : ", found " + detail::shown(*it)));
}

const nlohmann::json& Config::at(std::string_view key, const char* expected) const {
  const auto it = value_.find(key);
  if (it == value_.end()) fail(key, "is missing, expected " + std::string(expected));
  return *it;
}

}  // namespace reelfarm::weights
