#include "pipeline/weights/detail/near_match.hpp"

#include <algorithm>
#include <numeric>

namespace reelfarm::weights::detail {
namespace {

constexpr std::size_t kLongestCompared = 200;
constexpr std::size_t kShortestPart = 4;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : a) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (letter == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> near_matches(std::string_view name, const std::vector<std::string>& candidates,
                                      std::size_t count) {
  if (name.size() > kLongestCompared) return {};
  std::vector<std::pair<std::size_t, std::string>> scored;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestCompared) continue;
    // A whole word of the candidate is nearer than any spelling: "window" means "window_frames", not "width".
    const bool part = name.size() >= kShortestPart && candidate.find(name) != std::string::npos;
    const std::size_t distance = part ? 1 : edit_distance(name, candidate);
    if (distance <= std::max<std::size_t>(1, name.size() / 2)) scored.emplace_back(distance, candidate);
  }
  std::sort(scored.begin(), scored.end());
  if (scored.size() > count) scored.resize(count);
  std::vector<std::string> names;
  for (auto& [distance, candidate] : scored) names.push_back(std::move(candidate));
  return names;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  std::string text;
  for (const std::string& match : near_matches(name, candidates)) text += (text.empty() ? "" : ", ") + match;
  return text.empty() ? text : "; did you mean " + text + "?";
}

}  // namespace reelfarm::weights::detail
