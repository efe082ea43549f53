#include "queue/working_hours.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <stdexcept>
#include <system_error>

namespace reelfarm::queue {
namespace {

constexpr int kDay = 24 * 60;

/// "HH:MM", "H:MM" or "24:00" in minutes; -1: it is none of these.
int minutes_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon < 1 || colon > 2 || text.size() != colon + 3) return -1;
  int hour = 0;
  int minute = 0;
  const char* const first = text.data();
  const char* const middle = first + colon;
  const char* const last = first + text.size();
  const auto hours = std::from_chars(first, middle, hour);
  const auto minutes = std::from_chars(middle + 1, last, minute);
  if (hours.ec != std::errc() || hours.ptr != middle || minutes.ec != std::errc() || minutes.ptr != last) return -1;
  const int total = 60 * hour + minute;
  return hour < 0 || minute < 0 || minute > 59 || total > kDay ? -1 : total;
}

}  // namespace

WorkingHours::WorkingHours(std::string_view text) : text_(text) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view span = text.substr(begin, end - begin);
    const std::size_t dash = span.find('-');
    const int from = dash == std::string_view::npos ? -1 : minutes_of(span.substr(0, dash));
    const int to = dash == std::string_view::npos ? -1 : minutes_of(span.substr(dash + 1));
    if (from < 0 || from == kDay || to < 0 || from == to) {
      throw std::invalid_argument("--hours '" + text_ + "': '" + std::string(span) +
                                  "' is no span of the day: expected HH:MM-HH:MM such as 20:00-07:00, several with "
                                  "commas between; leave --hours away to work round the clock");
    }
    spans_.push_back({from, to});
    begin = end + 1;
  }
}

bool WorkingHours::contain(std::chrono::system_clock::time_point time) const {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) throw std::system_error(errno, std::generic_category(), "localtime");
  const int now = 60 * local.tm_hour + local.tm_min;
  return std::ranges::any_of(spans_, [now](const Span& span) {
    return span.from < span.to ? span.from <= now && now < span.to : span.from <= now || now < span.to;
  });
}

}  // namespace reelfarm::queue
