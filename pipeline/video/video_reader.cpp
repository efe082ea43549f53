#include "pipeline/video/video_reader.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <optional>

#include "pipeline/video/detail/av_input.hpp"
#include "pipeline/video/detail/pixels.hpp"
#include "pipeline/video/detail/scaler.hpp"

namespace reelfarm::video {
namespace {

std::string text_or_unknown(const char* name) {
  return name == nullptr ? "unknown" : name;
}

}  // namespace

struct VideoReader::Impl {
  detail::Demuxer demuxer;
  detail::AvCodec codec;
  detail::AvPacket packet = detail::make_packet();
  detail::AvFrame frame = detail::make_frame();
  detail::AvFrame rgb;
  detail::PixelLayout layout;
  std::optional<detail::Scaler> scaler;
  VideoInfo info;
  std::int64_t frames = 0;
  bool draining = false;

  Impl(const std::filesystem::path& path, int threads) : demuxer(path) {
    detail::LogCapture log;
    const AVCodecParameters& parameters = *demuxer.stream().codecpar;
    const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
    if (decoder == nullptr) {
      throw failure("this FFmpeg has no decoder for " + std::string(avcodec_get_name(parameters.codec_id)));
    }
    codec = detail::make_codec(decoder);
    int result = avcodec_parameters_to_context(codec.get(), &parameters);
    codec->thread_count = threads;
    // Frames in flight cost memory and delay; slices do not.
    codec->thread_type = FF_THREAD_SLICE;
    codec->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    if (result >= 0) result = avcodec_open2(codec.get(), decoder, nullptr);
    if (result < 0) throw failure(log.words(result));
    const AVRational rate = demuxer.stream().avg_frame_rate;
    info = {.width = parameters.width,
            .height = parameters.height,
            .rate = {rate.num, rate.den},
            .codec = avcodec_get_name(parameters.codec_id),
            .pixel_format = text_or_unknown(av_get_pix_fmt_name(static_cast<AVPixelFormat>(parameters.format))),
            .color_space = text_or_unknown(av_color_space_name(parameters.color_space)),
            .color_primaries = text_or_unknown(av_color_primaries_name(parameters.color_primaries)),
            .color_transfer = text_or_unknown(av_color_transfer_name(parameters.color_trc)),
            .color_range = text_or_unknown(av_color_range_name(parameters.color_range))};
  }

  BadMedia failure(const std::string& words) const {
    return BadMedia("video " + demuxer.path().string() + " cannot be decoded at frame " + std::to_string(frames) +
                    ": " + words);
  }

  bool decode() {
    detail::LogCapture log;
    for (;;) {
      int result = avcodec_receive_frame(codec.get(), frame.get());
      if (result == AVERROR_EOF) return false;
      if (result >= 0) {
        // FFV1 hides a slice whose checksum is wrong and says so only in its log.
        const bool damaged = codec->codec_id == AV_CODEC_ID_FFV1 && log.has_errors();
        if (damaged || frame->decode_error_flags != 0) throw failure("it is damaged (" + log.logged() + ")");
        ++frames;
        return true;
      }
      if (result != AVERROR(EAGAIN)) throw failure(log.words(result));
      if (demuxer.read(*packet)) {
        result = avcodec_send_packet(codec.get(), packet.get());
      } else {
        result = avcodec_send_packet(codec.get(), nullptr);
      }
      if (result < 0) throw failure(log.words(result));
    }
  }

  void to_image(Image& image) {
    if (image.width != frame->width || image.height != frame->height) image = Image(frame->width, frame->height);
    if (frame->format == AV_PIX_FMT_BGR0) {
      detail::unpack_bgr0(*frame, image);
      return;
    }
    const detail::PixelLayout from{
        .format = static_cast<AVPixelFormat>(frame->format),
        .width = frame->width,
        .height = frame->height,
        .matrix = frame->colorspace == AVCOL_SPC_UNSPECIFIED ? AVCOL_SPC_BT709 : frame->colorspace,
        .range = frame->color_range == AVCOL_RANGE_JPEG ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG,
        .chroma = AVCHROMA_LOC_LEFT};
    if (!scaler || !(from == layout)) {
      layout = from;
      scaler.emplace(from,
                     detail::PixelLayout{.format = AV_PIX_FMT_RGB24, .width = frame->width, .height = frame->height},
                     SWS_BICUBIC);
      rgb = detail::make_frame(AV_PIX_FMT_RGB24, frame->width, frame->height);
    }
    scaler->convert(*frame, *rgb);
    detail::copy_from_rgb24(*rgb, image);
  }
};

VideoReader::VideoReader(const std::filesystem::path& path, int threads)
    : impl_(std::make_unique<Impl>(path, threads)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

const VideoInfo& VideoReader::info() const {
  return impl_->info;
}

bool VideoReader::next(Image& frame) {
  if (!impl_->decode()) return false;
  impl_->to_image(frame);
  return true;
}

void VideoReader::skip(std::int64_t count) {
  const bool independent = impl_->codec->codec_id == AV_CODEC_ID_FFV1;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool there = independent ? impl_->demuxer.read(*impl_->packet) : impl_->decode();
    if (!there)
      throw impl_->failure("it ends after " + std::to_string(i) + " of " + std::to_string(count) +
                           " frames that were to be left out");
    if (independent) ++impl_->frames;
  }
}

std::int64_t count_frames(const std::filesystem::path& path) {
  detail::Demuxer demuxer(path);
  detail::AvPacket packet = detail::make_packet();
  std::int64_t frames = 0;
  while (demuxer.read(*packet)) ++frames;
  return frames;
}

}  // namespace reelfarm::video
