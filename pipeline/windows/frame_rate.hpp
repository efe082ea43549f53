#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/windows/errors.hpp"

namespace reelfarm::windows {

inline constexpr int kMaxFrameRate = 240;

/// Frames a second as a fraction in lowest terms: 24000/1001 is not 23.976.
struct FrameRate {
  std::int64_t numerator = 24;
  std::int64_t denominator = 1;

  double value() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
  bool operator==(const FrameRate&) const = default;
};

/// "24" or "24000/1001"
std::string to_string(const FrameRate& rate);

/// Reads "24", "24000/1001" or "12.5"; 23.976, 29.97 and 59.94 mean the NTSC fractions. Throws InvalidRequest unless
/// it lies in (0, 240].
FrameRate parse_frame_rate(std::string_view text);

/// round(seconds * rate), halves up; throws InvalidRequest when seconds is not a number or the result is under 1 or
/// over kMaxFrames.
std::int64_t frames_for_seconds(double seconds, const FrameRate& rate);

/// Seconds from the start of the video to the start of `frame`.
double seconds_at_frame(std::int64_t frame, const FrameRate& rate);

}  // namespace reelfarm::windows
