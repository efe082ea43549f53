#include "pipeline/text_encoders/detail/config_fields.hpp"

#include <stdexcept>

namespace reelfarm::text_encoders::detail {

using weights::Config;

std::int64_t integer(const Config& config, std::string_view key, std::int64_t fallback, std::int64_t minimum) {
  const std::int64_t value = config.integer(key, fallback);
  if (value < minimum) config.fail(key, "expected at least " + std::to_string(minimum));
  return value;
}

double positive(const Config& config, std::string_view key, double fallback) {
  const double value = config.number(key, fallback);
  if (!(value > 0)) config.fail(key, "expected a number above 0");
  return value;
}

nn::Activation activation(const Config& config, std::string_view key, const std::string& fallback) {
  try {
    return nn::activation_of_name(config.text(key, fallback));
  } catch (const std::invalid_argument& error) {
    config.fail(key, error.what());
  }
}

std::vector<double> numbers(const Config& config, std::string_view key, std::vector<double> fallback) {
  if (!config.has(key)) return fallback;
  const nlohmann::json& value = *config.json().find(key);
  const auto expected = "expected " + std::to_string(fallback.size()) + " numbers";
  if (!value.is_array() || value.size() != fallback.size()) config.fail(key, expected);
  std::vector<double> result;
  for (const nlohmann::json& element : value) {
    if (!element.is_number()) config.fail(key, expected);
    result.push_back(element.get<double>());
  }
  return result;
}

bool holds_integer(const Config& config, std::string_view key) {
  return config.has(key) && config.json().find(key)->is_number_integer();
}

std::optional<Config> child(const Config& config, std::string_view key) {
  if (!config.has(key)) return std::nullopt;
  return config.object(key);
}

}  // namespace reelfarm::text_encoders::detail
