#pragma once

#include <cstdint>
#include <string>

namespace reelfarm::coordinator {

/// Whole number in `text`, from `low` to `high`. Throws BadInput naming `what`.
std::int64_t parse_integer(const std::string& what, const std::string& text, std::int64_t low, std::int64_t high);
std::uint64_t parse_unsigned(const std::string& what, const std::string& text);
/// A number; "nan" and "inf" are read as such, so that the check of the value can name them. Throws BadInput.
double parse_number(const std::string& what, const std::string& text);
/// true/yes/on/1 and their opposites. Throws BadInput.
bool parse_switch(const std::string& what, const std::string& text);

}  // namespace reelfarm::coordinator
