#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nn/activation.hpp"
#include "pipeline/weights/config.hpp"

namespace reelfarm::text_encoders::detail {

// Fields of transformers' configs. A key that is absent or null takes the fallback: published configs name only what
// differs from the defaults of their class. A wrong value throws weights::WeightError naming file, key and value.

/// An integer of at least `minimum`.
std::int64_t integer(const weights::Config& config, std::string_view key, std::int64_t fallback,
                     std::int64_t minimum = 1);

/// A number above 0.
double positive(const weights::Config& config, std::string_view key, double fallback);

nn::Activation activation(const weights::Config& config, std::string_view key, const std::string& fallback);

/// `count` numbers.
std::vector<double> numbers(const weights::Config& config, std::string_view key, std::vector<double> fallback);

/// Whether the key holds an integer, where some versions write an integer and others an object or a list.
bool holds_integer(const weights::Config& config, std::string_view key);

/// The object below `key`, or nothing.
std::optional<weights::Config> child(const weights::Config& config, std::string_view key);

}  // namespace reelfarm::text_encoders::detail
