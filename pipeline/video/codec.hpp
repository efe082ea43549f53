#pragma once

#include <string>
#include <string_view>

#include "pipeline/video/errors.hpp"

namespace reelfarm::video {

/// Forms of the final video.
enum class Codec { kH264, kHevc, kAv1, kProRes422Hq, kProRes4444, kFfv1 };

/// "h264", "hevc", "av1", "prores422hq", "prores4444" or "ffv1"; throws VideoError naming them.
Codec parse_codec(std::string_view text);
std::string to_string(Codec codec);
/// Of the finished file, with its dot: ".mp4", ".mov" or ".mkv".
std::string extension_of(Codec codec);

}  // namespace reelfarm::video
