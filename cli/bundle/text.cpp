#include "cli/bundle/text.hpp"

namespace reelfarm::bundle {

std::string scaled(double value, const char* unit) {
  const char* prefixes[] = {"", " k", " M", " G", " T"};
  std::size_t prefix = 0;
  for (; value >= 999.5 && prefix < 4; ++prefix) value /= 1000;
  return printed(value < 10 && prefix > 0    ? "%.2f%s%s"
                 : value < 100 && prefix > 0 ? "%.1f%s%s"
                                             : "%.0f%s%s",
                 value, prefix == 0 && *unit != '\0' ? " " : prefixes[prefix], unit);
}

std::string joined(const std::vector<std::string>& words, const char* otherwise) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? otherwise : text;
}

}  // namespace reelfarm::bundle
