#include "coordinator/http/router.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {
namespace {

bool is_place(const std::string& segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!is_place(pattern[i]) && pattern[i] != segments[i]) return false;
  }
  return true;
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> segments;
  for (std::size_t begin = 1; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

}  // namespace

void Router::add(Method method, std::string path, Access access, Route::Handler handler) {
  segments_.push_back(split(path));
  routes_.push_back({method, std::move(path), access, std::move(handler)});
}

Router::Match Router::match(Method method, const Target& target) const {
  bool known = false;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!fits(segments_[i], target.segments)) continue;
    known = true;
    if (routes_[i].method != method) continue;
    Match match{&routes_[i], {}};
    for (std::size_t k = 0; k < segments_[i].size(); ++k) {
      const std::string& name = segments_[i][k];
      if (is_place(name)) match.places[name.substr(1, name.size() - 2)] = target.segments[k];
    }
    return match;
  }
  if (known) throw Refusal(405, std::string(to_string(method)) + " is not possible here");
  throw Refusal(404, "there is nothing at this address");
}

}  // namespace reelfarm::http
