#include "pipeline/video/detail/scaler.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <new>

#include "pipeline/video/errors.hpp"

namespace reelfarm::video::detail {
namespace {

int sws_matrix(AVColorSpace matrix) {
  switch (matrix) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    default:
      return SWS_CS_ITU601;
  }
}

std::string describe(const PixelLayout& layout) {
  const char* name = av_get_pix_fmt_name(layout.format);
  return std::string(name == nullptr ? "unknown" : name) + " " + std::to_string(layout.width) + "x" +
         std::to_string(layout.height);
}

void set_int(SwsContext* context, const char* name, std::int64_t value) {
  if (av_opt_set_int(context, name, value, 0) < 0) {
    throw VideoError("swscale refuses option " + std::string(name) + "=" + std::to_string(value));
  }
}

// swscale knows a range of YUV and grey only; a range set for RGB would send RGB through YUV and back.
int full_range(const PixelLayout& layout) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(layout.format);
  const bool rgb = description != nullptr && (description->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  return !rgb && layout.range == AVCOL_RANGE_JPEG;
}

// Positions in 1/256 of a luma sample, as swscale wants them; it shifts chroma that is not subsampled too, if told.
void set_chroma(SwsContext* context, const std::string& side, const PixelLayout& layout) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(layout.format);
  if (layout.chroma == AVCHROMA_LOC_UNSPECIFIED || description == nullptr) return;
  const int horizontal = layout.chroma == AVCHROMA_LOC_CENTER ? 128 : 0;
  if (description->log2_chroma_w > 0) set_int(context, (side + "_h_chr_pos").c_str(), horizontal);
  if (description->log2_chroma_h > 0) set_int(context, (side + "_v_chr_pos").c_str(), 128);
}

}  // namespace

Scaler::Scaler(const PixelLayout& from, const PixelLayout& to, int filter)
    : context_(sws_alloc_context()), from_(from), to_(to) {
  if (!context_) throw std::bad_alloc();
  LogCapture log;
  SwsContext* context = context_.get();
  set_int(context, "srcw", from.width);
  set_int(context, "srch", from.height);
  set_int(context, "src_format", from.format);
  set_int(context, "src_range", full_range(from));
  set_int(context, "dstw", to.width);
  set_int(context, "dsth", to.height);
  set_int(context, "dst_format", to.format);
  set_int(context, "dst_range", full_range(to));
  set_int(context, "sws_flags", filter | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP);
  set_chroma(context, "src", from);
  set_chroma(context, "dst", to);
  // An alpha channel is kept as it is; what lies behind it is our caller's choice.
  int result = sws_init_context(context, nullptr, nullptr);
  if (result >= 0) {
    constexpr int kUnity = 1 << 16;
    // Grey and RGB have no matrix; swscale then answers -1, and there is nothing to set.
    sws_setColorspaceDetails(context, sws_getCoefficients(sws_matrix(from.matrix)), full_range(from),
                             sws_getCoefficients(sws_matrix(to.matrix)), full_range(to), 0, kUnity, kUnity);
  }
  if (result < 0) {
    throw VideoError("swscale cannot convert " + describe(from) + " to " + describe(to) + ": " + log.words(result));
  }
}

void Scaler::convert(const AVFrame& from, AVFrame& to) {
  const int lines = sws_scale(context_.get(), from.data, from.linesize, 0, from_.height, to.data, to.linesize);
  if (lines != to_.height) {
    throw VideoError("swscale gave " + std::to_string(lines) + " of " + std::to_string(to_.height) +
                     " lines converting " + describe(from_) + " to " + describe(to_));
  }
}

}  // namespace reelfarm::video::detail
