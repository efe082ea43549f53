#include "pipeline/video/detail/remux.hpp"

#include "pipeline/video/detail/av_input.hpp"
#include "pipeline/video/detail/av_output.hpp"
#include "pipeline/video/errors.hpp"

namespace reelfarm::video::detail {

void remux(const std::filesystem::path& from, const std::filesystem::path& to, const char* format,
           const windows::FrameRate& rate, bool faststart) {
  Demuxer demuxer(from);
  Muxer muxer(to, format);
  AVStream& in = demuxer.stream();
  const AVRational frame_time{static_cast<int>(rate.denominator), static_cast<int>(rate.numerator)};
  AVStream& out = muxer.add_stream(*in.codecpar, frame_time);
  out.avg_frame_rate = av_inv_q(frame_time);
  out.r_frame_rate = av_inv_q(frame_time);
  muxer.write_header(faststart ? "movflags=+faststart" : "");
  AvPacket packet = make_packet();
  // In a fragmented file without edit list the first picture is shown late by the reordering delay.
  std::int64_t start = AV_NOPTS_VALUE;
  while (demuxer.read(*packet)) {
    if (start == AV_NOPTS_VALUE) start = packet->pts;
    packet->pts -= start;
    packet->dts -= start;
    packet->pos = -1;
    muxer.write(*packet, in.time_base);
  }
  muxer.finish();
}

}  // namespace reelfarm::video::detail
