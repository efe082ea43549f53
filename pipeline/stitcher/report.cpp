#include "pipeline/stitcher/report.hpp"

#include <algorithm>
#include <cmath>

namespace reelfarm::stitcher {
namespace {

constexpr std::int64_t kNearFrames = 2;
// Of motion in levels and of sharpness: a still or flat video would otherwise divide by nothing.
constexpr double kSmallestMedian = 1e-3;

struct Span {
  std::int64_t first;
  std::int64_t last;
};

Span near(const SeamReport& seam, std::int64_t frames) {
  return {std::max<std::int64_t>(1, seam.first_frame - kNearFrames),
          std::min(frames - 1, seam.first_frame + seam.overlap_frames - 1 + kNearFrames)};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double luma_of(const std::array<double, 3>& rgb) {
  return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

double mean_of(const std::array<double, 3>& values) {
  return (values[0] + values[1] + values[2]) / 3;
}

double slope(const std::vector<WindowReport>& windows) {
  const double n = static_cast<double>(windows.size());
  if (windows.size() < 2) return 0;
  double x_mean = 0;
  double y_mean = 0;
  for (const WindowReport& window : windows) {
    x_mean += static_cast<double>(window.window) / n;
    y_mean += window.luma_drift / n;
  }
  double numerator = 0;
  double denominator = 0;
  for (const WindowReport& window : windows) {
    const double x = static_cast<double>(window.window) - x_mean;
    numerator += x * (window.luma_drift - y_mean);
    denominator += x * x;
  }
  return numerator / denominator;
}

}  // namespace

void finish_report(StitchReport& report, const std::vector<FrameStats>& frames) {
  report.frames = static_cast<std::int64_t>(frames.size());
  std::vector<bool> is_near(frames.size(), false);
  for (const SeamReport& seam : report.seams) {
    const Span span = near(seam, report.frames);
    for (std::int64_t t = span.first; t <= span.last; ++t) is_near[static_cast<std::size_t>(t)] = true;
  }
  std::vector<double> motion;
  std::vector<double> sharpness;
  for (std::size_t t = 1; t < frames.size(); ++t) {
    if (is_near[t]) continue;
    motion.push_back(frames[t].motion);
    sharpness.push_back(frames[t].sharpness);
  }
  const double usual_motion = std::max(kSmallestMedian, median(std::move(motion)));
  const double usual_sharpness = std::max(kSmallestMedian, median(std::move(sharpness)));
  for (SeamReport& seam : report.seams) {
    const Span span = near(seam, report.frames);
    double jump = 0;
    double least_sharp = INFINITY;
    seam.luma_step = 0;
    for (std::int64_t t = span.first; t <= span.last; ++t) {
      const FrameStats& here = frames[static_cast<std::size_t>(t)];
      jump = std::max(jump, here.motion);
      least_sharp = std::min(least_sharp, here.sharpness);
      seam.luma_step = std::max(seam.luma_step, std::abs(here.luma - frames[static_cast<std::size_t>(t) - 1].luma));
    }
    seam.jump = jump / usual_motion;
    seam.sharpness = std::isfinite(least_sharp) ? least_sharp / usual_sharpness : 0;
  }
  if (report.windows.empty()) return;
  const double first_luma = luma_of(report.windows.front().mean);
  const double first_deviation = std::max(kSmallestMedian, mean_of(report.windows.front().deviation));
  for (WindowReport& window : report.windows) {
    window.luma_drift = luma_of(window.mean) - first_luma;
    window.contrast_drift = mean_of(window.deviation) / first_deviation;
  }
  report.luma_drift_per_window = slope(report.windows);
}

nlohmann::json to_json(const StitchReport& report) {
  nlohmann::json seams = nlohmann::json::array();
  for (const SeamReport& entry : report.seams) {
    seams.push_back({{"window", entry.window},
                     {"first_frame", entry.first_frame},
                     {"overlap_frames", entry.overlap_frames},
                     {"merge", to_string(entry.seam.merge)},
                     {"cut", entry.seam.cut ? nlohmann::json(*entry.seam.cut) : nlohmann::json(nullptr)},
                     {"overlap_psnr_db", entry.seam.overlap_psnr_db},
                     {"matched_psnr_db", entry.seam.matched_psnr_db},
                     {"gain", entry.seam.color.gain},
                     {"offset", entry.seam.color.offset},
                     {"jump", entry.jump},
                     {"luma_step", entry.luma_step},
                     {"sharpness", entry.sharpness}});
  }
  nlohmann::json windows = nlohmann::json::array();
  for (const WindowReport& entry : report.windows) {
    windows.push_back({{"window", entry.window},
                       {"mean", entry.mean},
                       {"deviation", entry.deviation},
                       {"luma_drift", entry.luma_drift},
                       {"contrast_drift", entry.contrast_drift}});
  }
  return {{"frames", report.frames},
          {"seams", seams},
          {"windows", windows},
          {"luma_drift_per_window", report.luma_drift_per_window}};
}

}  // namespace reelfarm::stitcher
