#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::coordinator {

/// Edits (insert, delete, replace, swap neighbours) between two words: the optimal string alignment distance.
int edit_distance(std::string_view from, std::string_view to);

/// The candidate that `word` was most likely meant to be; empty when none is near.
std::string near_match(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean 'steps'?" or nothing, to be put behind an error.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace reelfarm::coordinator
