#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reelfarm::tokenizers {

/// The template with the prompt in place of "{}"; a template without one stays as it is.
std::string fill_template(std::string_view template_text, std::string_view prompt);

/// Why an encoder that takes `limit` tokens cannot read a prompt of `used` (both after the template's crop); nothing
/// when it can.
std::optional<std::string> too_long(std::string_view encoder, std::int64_t used, std::int64_t limit);

}  // namespace reelfarm::tokenizers
