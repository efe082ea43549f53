#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::weights::detail {

/// One more than the largest number behind `scope` in these names: "blocks." and "blocks.7.x" -> 8. Numbers from 1000
/// on are no layers.
inline int count_layers(const std::vector<std::string>& names, std::string_view scope) {
  constexpr int kMostLayers = 1000;
  int count = 0;
  for (const std::string& name : names) {
    if (!name.starts_with(scope)) continue;
    int index = 0;
    const char* begin = name.data() + scope.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), index);
    if (error == std::errc() && *end == '.' && index >= 0 && index < kMostLayers) count = std::max(count, index + 1);
  }
  return count;
}

}  // namespace reelfarm::weights::detail
