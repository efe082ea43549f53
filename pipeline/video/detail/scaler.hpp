#pragma once

#include "pipeline/video/detail/av.hpp"

namespace reelfarm::video::detail {

/// One side of a conversion.
struct PixelLayout {
  AVPixelFormat format = AV_PIX_FMT_RGB24;
  int width = 0;
  int height = 0;
  AVColorSpace matrix = AVCOL_SPC_BT709;               ///< of YUV formats
  AVColorRange range = AVCOL_RANGE_MPEG;               ///< of YUV formats
  AVChromaLocation chroma = AVCHROMA_LOC_UNSPECIFIED;  ///< of subsampled formats; LEFT and CENTER are known

  bool operator==(const PixelLayout&) const = default;
};

/// A swscale context with flags that give the same bits on every machine (accurate_rnd, bitexact, full chroma).
class Scaler {
 public:
  /// `filter` is SWS_BICUBIC or SWS_LANCZOS. Throws VideoError.
  Scaler(const PixelLayout& from, const PixelLayout& to, int filter);

  /// Both frames must have the layouts given.
  void convert(const AVFrame& from, AVFrame& to);

 private:
  AvSws context_;
  PixelLayout from_;
  PixelLayout to_;
};

}  // namespace reelfarm::video::detail
