#include "pipeline/windows/frame_rate.hpp"

#include <charconv>
#include <cmath>
#include <numeric>

#include "pipeline/windows/grid.hpp"

namespace reelfarm::windows {
namespace {

// Decimal figures keep this many digits behind the point.
constexpr std::int64_t kDecimalUnit = 1'000'000;

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

FrameRate reduced(std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t divisor = std::gcd(numerator, denominator);
  return {numerator / divisor, denominator / divisor};
}

}  // namespace

std::string to_string(const FrameRate& rate) {
  const std::string numerator = std::to_string(rate.numerator);
  return rate.denominator == 1 ? numerator : numerator + "/" + std::to_string(rate.denominator);
}

FrameRate parse_frame_rate(std::string_view text) {
  const std::string quoted = "frame rate '" + std::string(text) + "'";
  FrameRate rate;
  const std::size_t slash = text.find('/');
  double decimal = 0;
  if (slash != std::string_view::npos) {
    std::int64_t numerator = 0;
    std::int64_t denominator = 0;
    if (!parse_number(text.substr(0, slash), numerator) || !parse_number(text.substr(slash + 1), denominator) ||
        numerator < 1 || denominator < 1 || numerator > INT32_MAX || denominator > INT32_MAX) {
      throw InvalidRequest(quoted + " cannot be read: write 24, 12.5 or 24000/1001");
    }
    rate = reduced(numerator, denominator);
  } else if (text == "23.976" || text == "23.98") {
    rate = {24000, 1001};
  } else if (text == "29.97") {
    rate = {30000, 1001};
  } else if (text == "59.94") {
    rate = {60000, 1001};
  } else if (parse_number(text, decimal) && std::isfinite(decimal) && decimal > 0 && decimal <= kMaxFrameRate) {
    rate = reduced(std::llround(decimal * kDecimalUnit), kDecimalUnit);
  } else {
    throw InvalidRequest(quoted + " must be a number above 0 and at most " + std::to_string(kMaxFrameRate) +
                         ", such as 24, 12.5 or 24000/1001");
  }
  if (rate.numerator < 1 || rate.value() > kMaxFrameRate) {
    throw InvalidRequest(quoted + " must be above 0 and at most " + std::to_string(kMaxFrameRate));
  }
  return rate;
}

std::int64_t frames_for_seconds(double seconds, const FrameRate& rate) {
  const double frames =
      std::floor(seconds * static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator) + 0.5);
  // Written so that a NaN fails too.
  if (!(frames >= 1 && frames <= static_cast<double>(kMaxFrames))) {
    throw InvalidRequest("seconds is " + std::to_string(seconds) + " at " + to_string(rate) +
                         " frames a second: must give 1 to " + std::to_string(kMaxFrames) + " frames");
  }
  return static_cast<std::int64_t>(frames);
}

double seconds_at_frame(std::int64_t frame, const FrameRate& rate) {
  return static_cast<double>(frame) * static_cast<double>(rate.denominator) / static_cast<double>(rate.numerator);
}

}  // namespace reelfarm::windows
