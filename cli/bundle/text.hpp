#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace reelfarm::bundle {

template <typename... Arguments>
std::string printed(const char* format, Arguments... arguments) {
  char text[512];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

/// 12816420928 -> "12.8 B", 986000558 -> "986 M"
std::string scaled(double value, const char* unit);

/// "a, b", or `otherwise` for none.
std::string joined(const std::vector<std::string>& words, const char* otherwise);

}  // namespace reelfarm::bundle
