#include "pipeline/video/encoder.hpp"

#include <cmath>
#include <cstring>
#include <new>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/video/detail/av_output.hpp"
#include "pipeline/video/detail/codec_table.hpp"
#include "pipeline/video/detail/pixels.hpp"
#include "pipeline/video/detail/remux.hpp"
#include "pipeline/video/detail/scaler.hpp"
#include "pipeline/video/video_reader.hpp"

namespace reelfarm::video {
namespace {

// A fragment begins at a key frame, so this is also how much of the end a crash may cost.
constexpr double kKeyFrameSeconds = 2.0;

// The AVX-512 code of x264 0.164 lets memory that was never written decide macroblock-tree costs, so that two runs
// differ. Up to AVX2 they do not, results agree with plain SSE4, and speed is the same.
const char* x264_instruction_sets() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "asm=avx2";
#endif
  return "";
}

bool is_rgb(AVPixelFormat format) {
  return format == AV_PIX_FMT_BGR0;
}

void check_options(const EncoderOptions& options) {
  const std::string size = std::to_string(options.width) + "x" + std::to_string(options.height);
  if (options.width < 16 || options.height < 16 || options.width > 8192 || options.height > 8192) {
    throw VideoError("cannot encode " + size + ": each side must be from 16 to 8192 pixels");
  }
  if (options.width % 2 != 0 || options.height % 2 != 0) {
    throw VideoError("cannot encode " + size + ": both sides must be even, because colour is stored for 2x2 pixels");
  }
  if (options.rate.numerator < 1 || options.rate.denominator < 1 || options.threads < 1) {
    throw VideoError("cannot encode at " + windows::to_string(options.rate) + " frames a second with " +
                     std::to_string(options.threads) + " threads");
  }
}

}  // namespace

struct VideoEncoder::Impl {
  EncoderOptions options;
  const detail::CodecRow& row;
  AVRational time_base;
  detail::Muxer muxer;
  detail::AvCodec codec;
  detail::AvFrame rgb;
  detail::AvFrame picture;
  std::optional<detail::Scaler> scaler;
  detail::AvPacket packet = detail::make_packet();
  std::int64_t frames = 0;
  bool finished = false;

  Impl(const std::filesystem::path& partial, const EncoderOptions& given)
      : options(given),
        row(detail::row_of(given.codec)),
        time_base{static_cast<int>(given.rate.denominator), static_cast<int>(given.rate.numerator)},
        muxer(partial, row.partial_muxer) {
    open_codec();
    open_muxer();
    open_scaler();
  }

  VideoError failure(const std::string& attempt, const std::string& words) const {
    return VideoError("cannot " + attempt + " " + muxer.path().string() + " (" + row.name + " " +
                      std::to_string(options.width) + "x" + std::to_string(options.height) + "): " + words);
  }

  void open_codec() {
    const AVCodec* encoder = avcodec_find_encoder_by_name(row.encoder);
    if (encoder == nullptr) {
      throw failure("encode", "this FFmpeg was built without " + std::string(row.encoder));
    }
    codec = detail::make_codec(encoder);
    codec->width = options.width;
    codec->height = options.height;
    codec->pix_fmt = row.format;
    codec->time_base = time_base;
    codec->framerate = av_inv_q(time_base);
    codec->gop_size = std::max(1, static_cast<int>(std::lround(kKeyFrameSeconds * options.rate.value())));
    codec->thread_count = options.threads;
    codec->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    if (!is_rgb(row.format)) {
      codec->colorspace = AVCOL_SPC_BT709;
      codec->color_range = AVCOL_RANGE_MPEG;
      if (row.format == AV_PIX_FMT_YUV420P || row.format == AV_PIX_FMT_YUV420P10) {
        codec->chroma_sample_location = AVCHROMA_LOC_LEFT;
      }
    }
    codec->color_primaries = AVCOL_PRI_BT709;
    codec->color_trc = AVCOL_TRC_BT709;
    if (row.tag != nullptr) codec->codec_tag = MKTAG(row.tag[0], row.tag[1], row.tag[2], row.tag[3]);
    if (row.quality_option != nullptr) {
      detail::set_option(codec.get(), row.quality_option, std::to_string(options.quality.value_or(row.quality)));
    }
    if (row.preset_option != nullptr) {
      detail::set_option(codec.get(), row.preset_option, options.preset.empty() ? row.preset : options.preset);
    }
    const std::string instruction_sets = x264_instruction_sets();
    if (options.codec == Codec::kH264 && !instruction_sets.empty()) {
      detail::set_option(codec.get(), "x264-params", instruction_sets);
    }
    detail::LogCapture log;
    AVDictionary* extra = nullptr;
    av_dict_parse_string(&extra, row.extra, "=", ":", 0);
    const int result = avcodec_open2(codec.get(), encoder, &extra);
    av_dict_free(&extra);
    if (result < 0) throw failure("encode", log.words(result));
  }

  void open_muxer() {
    AVCodecParameters* parameters = avcodec_parameters_alloc();
    if (parameters == nullptr || avcodec_parameters_from_context(parameters, codec.get()) < 0) throw std::bad_alloc();
    AVStream& stream = muxer.add_stream(*parameters, time_base);
    avcodec_parameters_free(&parameters);
    stream.avg_frame_rate = codec->framerate;
    stream.r_frame_rate = codec->framerate;
    muxer.write_header(row.partial_options);
  }

  void open_scaler() {
    picture = detail::make_frame(row.format, options.width, options.height);
    picture->colorspace = codec->colorspace;
    picture->color_range = codec->color_range;
    picture->color_primaries = codec->color_primaries;
    picture->color_trc = codec->color_trc;
    picture->chroma_location = codec->chroma_sample_location;
    if (is_rgb(row.format)) return;
    rgb = detail::make_frame(AV_PIX_FMT_RGB24, options.width, options.height);
    scaler.emplace(detail::PixelLayout{.format = AV_PIX_FMT_RGB24, .width = options.width, .height = options.height},
                   detail::PixelLayout{.format = row.format,
                                       .width = options.width,
                                       .height = options.height,
                                       .matrix = AVCOL_SPC_BT709,
                                       .range = AVCOL_RANGE_MPEG,
                                       .chroma = AVCHROMA_LOC_LEFT},
                   SWS_BICUBIC);
  }

  void write(const Image& frame) {
    if (finished) throw failure("write to", "it is finished");
    if (frame.width != options.width || frame.height != options.height) {
      throw failure("write frame " + std::to_string(frames) + " of " + frame.size_text() + " to", "other size");
    }
    // The encoder may still read the buffers of earlier pictures.
    if (av_frame_make_writable(picture.get()) < 0) throw std::bad_alloc();
    if (scaler) {
      detail::copy_to_rgb24(frame, *rgb);
      scaler->convert(*rgb, *picture);
    } else {
      detail::pack_bgr0(frame, *picture);
    }
    picture->pts = frames;
    picture->pict_type = AV_PICTURE_TYPE_NONE;
    send(picture.get());
    ++frames;
  }

  void send(const AVFrame* frame) {
    detail::LogCapture log;
    int result = avcodec_send_frame(codec.get(), frame);
    if (result < 0) throw failure("encode frame " + std::to_string(frames) + " of", log.words(result));
    for (;;) {
      result = avcodec_receive_packet(codec.get(), packet.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      if (result < 0) throw failure("encode frame " + std::to_string(frames) + " of", log.words(result));
      if (packet->duration == 0) packet->duration = 1;
      muxer.write(*packet, time_base);
      av_packet_unref(packet.get());
    }
  }

  void finish() {
    if (finished) return;
    if (frames == 0) throw failure("finish", "no frame was written");
    send(nullptr);
    muxer.finish();
    finished = true;
  }
};

VideoEncoder::VideoEncoder(const std::filesystem::path& partial, const EncoderOptions& options) {
  check_options(options);
  impl_ = std::make_unique<Impl>(partial, options);
}

VideoEncoder::~VideoEncoder() = default;
VideoEncoder::VideoEncoder(VideoEncoder&&) noexcept = default;
VideoEncoder& VideoEncoder::operator=(VideoEncoder&&) noexcept = default;

void VideoEncoder::write(const Image& frame) {
  impl_->write(frame);
}
std::int64_t VideoEncoder::frames() const {
  return impl_->frames;
}
void VideoEncoder::finish() {
  impl_->finish();
}

void VideoEncoder::publish(const std::filesystem::path& path) {
  finish();
  const std::filesystem::path partial = impl_->muxer.path();
  std::filesystem::path whole = partial;
  if (impl_->row.final_muxer != nullptr) {
    whole += ".remux";
    detail::remux(partial, whole, impl_->row.final_muxer, impl_->options.rate, impl_->options.faststart);
  }
  const std::int64_t counted = count_frames(whole);
  if (counted != impl_->frames) {
    throw impl_->failure(
        "publish", "it has " + std::to_string(counted) + " frames after writing " + std::to_string(impl_->frames));
  }
  artifacts::rename_durably(whole, path);
  if (whole != partial) std::filesystem::remove(partial);
}

}  // namespace reelfarm::video
