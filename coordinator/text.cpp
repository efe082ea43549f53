#include "coordinator/text.hpp"

#include <cmath>
#include <cstdio>
#include <ctime>
#include <iterator>

namespace reelfarm::coordinator {

std::string duration_text(double seconds) {
  char text[64];
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (seconds < 10) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (whole < 60) {
    std::snprintf(text, sizeof text, "%lld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole % 3600 / 60);
  }
  return text;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr double kStep = 1024;
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= kStep && unit + 1 < std::size(units); ++unit) value /= kStep;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

std::string one_line(const std::string& text, std::size_t columns) {
  std::string line;
  std::size_t count = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    const bool begins_character = (byte & 0xc0) != 0x80;
    if (begins_character && ++count > columns) return line + "...";
    line += byte < 0x20 || byte == 0x7f ? ' ' : character;
  }
  return line;
}

std::string time_text(queue::ServerTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

}  // namespace reelfarm::coordinator
