#include "pipeline/stitcher/seam.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "pipeline/stitcher/dither.hpp"

namespace reelfarm::stitcher {
namespace {

double to_db(double mean_squared_error) {
  if (mean_squared_error <= 0) return kIdenticalDb;
  return std::min(kIdenticalDb, 10 * std::log10(255.0 * 255.0 / mean_squared_error));
}

double worst_psnr_db(std::span<const video::Image> earlier, std::span<const video::Image> later) {
  double worst = kIdenticalDb;
  for (std::size_t k = 0; k < earlier.size(); ++k) worst = std::min(worst, psnr_db(earlier[k], later[k]));
  return worst;
}

double matched_worst_psnr_db(std::span<const video::Image> earlier, std::span<const video::Image> later,
                             const ColorMatch& color) {
  const ColorTable table(color, 1);
  double worst = kIdenticalDb;
  for (std::size_t k = 0; k < earlier.size(); ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < earlier[k].rgb.size(); ++i) {
      const double step = table.value[i % 3][later[k].rgb[i]] - static_cast<float>(earlier[k].rgb[i]);
      sum += step * step;
    }
    worst = std::min(worst, to_db(sum / static_cast<double>(earlier[k].rgb.size())));
  }
  return worst;
}

std::uint64_t absolute_difference(const video::Image& left, const video::Image& right) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < left.rgb.size(); ++i) {
    sum += static_cast<std::uint64_t>(std::abs(int{left.rgb[i]} - int{right.rgb[i]}));
  }
  return sum;
}

// The frame after which the change over is seen least: argmin over k of |A_k - B_(k+1)|, the first of equals.
std::int64_t best_cut(std::span<const video::Image> earlier, std::span<const video::Image> later) {
  std::int64_t best = 0;
  std::uint64_t least = UINT64_MAX;
  for (std::size_t k = 0; k + 1 < later.size(); ++k) {
    const std::uint64_t difference = absolute_difference(earlier[k], later[k + 1]);
    if (difference < least) {
      least = difference;
      best = static_cast<std::int64_t>(k);
    }
  }
  return best;
}

}  // namespace

std::string to_string(Merge merge) {
  switch (merge) {
    case Merge::kKeep:
      return "keep";
    case Merge::kBlend:
      return "blend";
    case Merge::kCut:
      return "cut";
  }
  return "";
}

double psnr_db(const video::Image& left, const video::Image& right) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < left.rgb.size(); ++i) {
    const int step = int{left.rgb[i]} - int{right.rgb[i]};
    sum += static_cast<std::uint64_t>(step * step);
  }
  return to_db(static_cast<double>(sum) / static_cast<double>(std::max<std::size_t>(1, left.rgb.size())));
}

Seam plan_seam(std::span<const video::Image> earlier, std::span<const video::Image> later,
               const StitchOptions& options) {
  Seam seam;
  seam.overlap_psnr_db = worst_psnr_db(earlier, later);
  seam.matched_psnr_db = seam.overlap_psnr_db;
  if (options.match_color) {
    seam.color = match_color(earlier, later);
    if (!seam.color.identity()) seam.matched_psnr_db = matched_worst_psnr_db(earlier, later, seam.color);
  }
  const bool agree = seam.matched_psnr_db >= options.cut_below_db;
  if (!agree) seam.color = {};
  if (earlier.size() == 1) {
    seam.merge = Merge::kKeep;
  } else if (agree) {
    seam.merge = Merge::kBlend;
  } else {
    seam.merge = Merge::kCut;
    seam.cut = best_cut(earlier, later);
  }
  return seam;
}

double later_share(const Seam& seam, std::int64_t k, std::int64_t count) {
  switch (seam.merge) {
    case Merge::kKeep:
      return 0;
    case Merge::kBlend:
      return static_cast<double>(k + 1) / static_cast<double>(count + 1);
    case Merge::kCut: {
      // Thirds on the two frames round the cut.
      const std::int64_t step = k - *seam.cut;
      return step < 0 ? 0.0 : step == 0 ? 1.0 / 3 : step == 1 ? 2.0 / 3 : 1.0;
    }
  }
  return 0;
}

video::Image merge_frames(const video::Image& earlier, const video::Image& later, double share,
                          const ColorTable& correction) {
  video::Image merged(earlier.width, earlier.height);
  const auto weight = static_cast<float>(share);
  for (int y = 0; y < merged.height; ++y) {
    const std::uint8_t* before = earlier.row(y);
    const std::uint8_t* after = later.row(y);
    std::uint8_t* row = merged.row(y);
    const DitherRow& thresholds = dither_row(y);
    for (std::size_t i = 0; i < merged.stride(); ++i) {
      const std::size_t x = i / video::Image::kChannels;
      const auto a = static_cast<float>(before[i]);
      const float b = correction.value[i % video::Image::kChannels][after[i]];
      row[i] = dithered(a + weight * (b - a), thresholds[x % kDitherSide]);
    }
  }
  return merged;
}

}  // namespace reelfarm::stitcher
