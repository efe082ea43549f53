#include "pipeline/video/codec.hpp"

#include <array>

#include "pipeline/video/detail/codec_table.hpp"

namespace reelfarm::video {
namespace detail {
namespace {

// One fragment for each key frame: a player needs nothing that comes after it.
constexpr const char* kFragments = "movflags=+frag_keyframe+empty_moov+default_base_moof";

constexpr std::array<CodecRow, 6> kRows{{
    {Codec::kH264, "h264", "libx264", AV_PIX_FMT_YUV420P, "mp4", kFragments, "mp4", ".mp4", nullptr, "crf", 18,
     "preset", "medium", ""},
    {Codec::kHevc, "hevc", "libx265", AV_PIX_FMT_YUV420P10, "mp4", kFragments, "mp4", ".mp4", "hvc1", "crf", 20,
     "preset", "medium", "x265-params=log-level=none"},
    {Codec::kAv1, "av1", "libsvtav1", AV_PIX_FMT_YUV420P10, "mp4", kFragments, "mp4", ".mp4", "av01", "crf", 28,
     "preset", "8", ""},
    {Codec::kProRes422Hq, "prores422hq", "prores_ks", AV_PIX_FMT_YUV422P10, "mov", kFragments, "mov", ".mov", nullptr,
     nullptr, 0, nullptr, nullptr, "profile=hq:vendor=apl0"},
    {Codec::kProRes4444, "prores4444", "prores_ks", AV_PIX_FMT_YUV444P10, "mov", kFragments, "mov", ".mov", nullptr,
     nullptr, 0, nullptr, nullptr, "profile=4444:vendor=apl0"},
    {Codec::kFfv1, "ffv1", "ffv1", AV_PIX_FMT_BGR0, "matroska", "", nullptr, ".mkv", nullptr, nullptr, 0, nullptr,
     nullptr, "level=3:slices=4:slicecrc=1"},
}};

}  // namespace

const CodecRow& row_of(Codec codec) {
  for (const CodecRow& row : kRows) {
    if (row.codec == codec) return row;
  }
  throw VideoError("codec " + std::to_string(static_cast<int>(codec)) + " is unknown");
}

}  // namespace detail

Codec parse_codec(std::string_view text) {
  std::string known;
  for (const detail::CodecRow& row : detail::kRows) {
    if (text == row.name) return row.codec;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw VideoError("codec '" + std::string(text) + "' is unknown; known are " + known);
}

std::string to_string(Codec codec) {
  return detail::row_of(codec).name;
}
std::string extension_of(Codec codec) {
  return detail::row_of(codec).extension;
}

}  // namespace reelfarm::video
