#include "coordinator/near_match.hpp"

#include <algorithm>
#include <utility>

namespace reelfarm::coordinator {

int edit_distance(std::string_view from, std::string_view to) {
  std::vector<int> before_last;
  std::vector<int> last(to.size() + 1);
  for (std::size_t column = 0; column <= to.size(); ++column) last[column] = static_cast<int>(column);
  for (std::size_t row = 1; row <= from.size(); ++row) {
    std::vector<int> current(to.size() + 1);
    current[0] = static_cast<int>(row);
    for (std::size_t column = 1; column <= to.size(); ++column) {
      const int replace = last[column - 1] + (from[row - 1] == to[column - 1] ? 0 : 1);
      current[column] = std::min({last[column] + 1, current[column - 1] + 1, replace});
      const bool swapped = row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
      if (swapped) current[column] = std::min(current[column], before_last[column - 2] + 1);
    }
    before_last = std::exchange(last, std::move(current));
  }
  return last.back();
}

std::string near_match(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  // A third of the word may be wrong; more is another word.
  int best_distance = static_cast<int>(std::max<std::size_t>(1, word.size() / 3)) + 1;
  for (const std::string& candidate : candidates) {
    const bool is_start = word.size() >= 3 && candidate.starts_with(word);
    const int distance = is_start ? 1 : edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string match = near_match(word, candidates);
  return match.empty() ? "" : "; did you mean '" + match + "'?";
}

}  // namespace reelfarm::coordinator
