#include "coordinator/submission/parse_value.hpp"

#include <charconv>

#include "coordinator/errors.hpp"

namespace reelfarm::coordinator {

std::int64_t parse_integer(const std::string& what, const std::string& text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw BadInput(what + " is '" + text + "': must be a whole number from " + std::to_string(low) + " to " +
                   std::to_string(high));
  }
  return value;
}

std::uint64_t parse_unsigned(const std::string& what, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    throw BadInput(what + " is '" + text + "': must be a whole number from 0 to " + std::to_string(UINT64_MAX));
  }
  return value;
}

double parse_number(const std::string& what, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    throw BadInput(what + " is '" + text + "': must be a number");
  }
  return value;
}

bool parse_switch(const std::string& what, const std::string& text) {
  for (const char* yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "0", ""}) {
    if (text == no) return false;
  }
  throw BadInput(what + " is '" + text + "': must be true or false");
}

}  // namespace reelfarm::coordinator
