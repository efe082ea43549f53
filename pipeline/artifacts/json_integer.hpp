#pragma once

#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace reelfarm::artifacts {

/// The integer that `document` holds under `name`. Throws nlohmann::json::out_of_range when the field is missing and
/// nlohmann::json::type_error when it is no integer or one that T cannot hold; json's own get() would convert 1.5 and
/// 1e20 without a word, the second with undefined behaviour.
template <std::integral T>
T json_integer(const nlohmann::json& document, const char* name) {
  const nlohmann::json& value = document.at(name);
  const bool fits = value.is_number_unsigned()  ? std::in_range<T>(value.get<std::uint64_t>())
                    : value.is_number_integer() ? std::in_range<T>(value.get<std::int64_t>())
                                                : false;
  if (!fits) {
    using Limits = std::numeric_limits<T>;
    throw nlohmann::json::type_error::create(
        302,
        "field \"" + std::string(name) + "\" = " + value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) +
            ": expected an integer from " + std::to_string(Limits::min()) + " to " + std::to_string(Limits::max()),
        &value);
  }
  return value.get<T>();
}

}  // namespace reelfarm::artifacts
