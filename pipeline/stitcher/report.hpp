#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "pipeline/stitcher/frame_stats.hpp"
#include "pipeline/stitcher/seam.hpp"

namespace reelfarm::stitcher {

/// One seam. The ratios compare the frames within 2 of the overlap with the median of all frames that are near none.
struct SeamReport {
  std::int64_t window = 0;       ///< the later one
  std::int64_t first_frame = 0;  ///< of the overlap, in the video
  std::int64_t overlap_frames = 0;
  Seam seam;
  double jump = 0;       ///< largest motion / median motion; a good seam stays under 1.6
  double luma_step = 0;  ///< largest step of mean luma, in 8-bit levels
  double sharpness = 0;  ///< smallest / median sharpness; under 0.65 shows a ghost
};

/// One window as decoded, in 8-bit levels.
struct WindowReport {
  std::int64_t window = 0;
  std::array<double, 3> mean{};
  std::array<double, 3> deviation{};
  double luma_drift = 0;      ///< mean luma minus that of the first window
  double contrast_drift = 0;  ///< mean deviation / that of the first window
};

struct StitchReport {
  std::int64_t frames = 0;
  std::vector<SeamReport> seams;
  std::vector<WindowReport> windows;
  double luma_drift_per_window = 0;  ///< slope of the least-squares line through the windows, in levels
};

/// Fills in what needs all frames: jump, luma step, sharpness, drift.
void finish_report(StitchReport& report, const std::vector<FrameStats>& frames);

nlohmann::json to_json(const StitchReport& report);

}  // namespace reelfarm::stitcher
