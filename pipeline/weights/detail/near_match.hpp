#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::weights::detail {

/// Up to `count` of `candidates` that are nearest to `name` by edit distance, best first; only those within half the
/// length of `name`.
std::vector<std::string> near_matches(std::string_view name, const std::vector<std::string>& candidates,
                                      std::size_t count = 3);

/// "; did you mean a, b?" or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace reelfarm::weights::detail
