#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "pipeline/stitcher/color_match.hpp"
#include "pipeline/video/image.hpp"

namespace reelfarm::stitcher {

struct StitchOptions {
  bool match_color = true;
  double cut_below_db = 24;       ///< overlaps that agree less are cut at the best place: ghosts look worse than a cut
  std::int64_t fade_frames = 48;  ///< over which a window's colour correction goes back to none
};

/// How two windows are joined.
enum class Merge {
  kKeep,   ///< one shared frame: the earlier window's stays
  kBlend,  ///< cross-fade over the whole overlap
  kCut,    ///< the overlap disagrees: change over within two frames where the pictures fit best
};
std::string to_string(Merge merge);

/// Identical pictures have no finite PSNR; they report this.
inline constexpr double kIdenticalDb = 99;

/// Peak signal-to-noise ratio of two pictures of one size over all channels, in dB, at most kIdenticalDb.
double psnr_db(const video::Image& left, const video::Image& right);

/// What is decided about a seam, from its overlap alone: neither earlier seams nor the order of work matter.
struct Seam {
  Merge merge = Merge::kKeep;
  double overlap_psnr_db = 0;       ///< worst pair as decoded
  double matched_psnr_db = 0;       ///< worst pair after colour correction; decides between blend and cut
  ColorMatch color;                 ///< of the later window; identity for a cut, where contents are not comparable
  std::optional<std::int64_t> cut;  ///< k: earlier frame k is followed by later frame k+1
};

/// `earlier` and `later` are the two decodes of the overlap, in order, 1 frame or more.
Seam plan_seam(std::span<const video::Image> earlier, std::span<const video::Image> later,
               const StitchOptions& options);

/// The share of the later window in overlap frame `k` of `count`: 0 keeps the earlier one. A blend is the open ramp
/// (k+1)/(n+1), which wastes no frame on a pure copy.
double later_share(const Seam& seam, std::int64_t k, std::int64_t count);

/// earlier + share * (corrected later - earlier), in float, rounded once by the pixel's place (dither.hpp).
video::Image merge_frames(const video::Image& earlier, const video::Image& later, double share,
                          const ColorTable& correction);

}  // namespace reelfarm::stitcher
