#include "pipeline/video/frame_writer.hpp"

#include <algorithm>
#include <new>

#include "pipeline/video/detail/av_output.hpp"
#include "pipeline/video/detail/pixels.hpp"
#include "pipeline/video/errors.hpp"

namespace reelfarm::video {
namespace {

// FFmpeg's FFV1 does not give single pixels back as they were.
constexpr int kSmallestSide = 16;

// The sides from which a slice of sixteen is at least 64 pixels wide and high.
constexpr int kManySlicesSide = 256;

// What threads share: part of the bytes, unlike their number. Small frames are not worth many. FFmpeg's FFV1 takes 4,
// 6, 9, 12, 15, 16 and more, in rows and columns.
int slices_of(int width, int height) {
  return std::min(width, height) < kManySlicesSide ? 4 : 16;
}

}  // namespace

struct FrameWriter::Impl {
  int width;
  int height;
  AVRational time_base;
  detail::Muxer muxer;
  detail::AvCodec codec;
  detail::AvFrame picture;
  detail::AvPacket packet = detail::make_packet();
  std::int64_t frames = 0;

  Impl(const std::filesystem::path& path, int frame_width, int frame_height, const windows::FrameRate& rate,
       int threads)
      : width(frame_width),
        height(frame_height),
        time_base{static_cast<int>(rate.denominator), static_cast<int>(rate.numerator)},
        muxer(path, "matroska") {
    if (width < kSmallestSide || height < kSmallestSide)
      throw failure("create", "each side must be at least 16 pixels");
    detail::LogCapture log;
    const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_FFV1);
    if (encoder == nullptr) throw VideoError("this FFmpeg was built without FFV1");
    codec = detail::make_codec(encoder);
    codec->width = width;
    codec->height = height;
    codec->pix_fmt = AV_PIX_FMT_BGR0;
    codec->time_base = time_base;
    codec->framerate = av_inv_q(time_base);
    codec->gop_size = 1;
    codec->level = 3;
    codec->slices = slices_of(width, height);
    codec->thread_count = threads;
    codec->thread_type = FF_THREAD_SLICE;
    codec->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    detail::set_option(codec.get(), "slicecrc", "1");
    // Golomb-Rice: a quarter more bytes than the range coder, and read in two thirds of its time, which is what the
    // stitcher waits for.
    detail::set_option(codec.get(), "coder", "rice");
    const int result = avcodec_open2(codec.get(), encoder, nullptr);
    if (result < 0) throw failure("create", log.words(result));
    AVCodecParameters* parameters = avcodec_parameters_alloc();
    if (parameters == nullptr || avcodec_parameters_from_context(parameters, codec.get()) < 0) throw std::bad_alloc();
    AVStream& stream = muxer.add_stream(*parameters, time_base);
    avcodec_parameters_free(&parameters);
    stream.avg_frame_rate = codec->framerate;
    muxer.write_header("");
    picture = detail::make_frame(AV_PIX_FMT_BGR0, width, height);
  }

  VideoError failure(const std::string& attempt, const std::string& words) const {
    return VideoError("cannot " + attempt + " " + muxer.path().string() + " (ffv1 " + std::to_string(width) + "x" +
                      std::to_string(height) + ", frame " + std::to_string(frames) + "): " + words);
  }

  void send(const AVFrame* frame) {
    detail::LogCapture log;
    int result = avcodec_send_frame(codec.get(), frame);
    if (result < 0) throw failure("encode", log.words(result));
    for (;;) {
      result = avcodec_receive_packet(codec.get(), packet.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      if (result < 0) throw failure("encode", log.words(result));
      packet->duration = 1;
      muxer.write(*packet, time_base);
      av_packet_unref(packet.get());
    }
  }
};

FrameWriter::FrameWriter(const std::filesystem::path& path, int width, int height, const windows::FrameRate& rate,
                         int threads)
    : impl_(std::make_unique<Impl>(path, width, height, rate, threads)) {}
FrameWriter::~FrameWriter() = default;
FrameWriter::FrameWriter(FrameWriter&&) noexcept = default;
FrameWriter& FrameWriter::operator=(FrameWriter&&) noexcept = default;

void FrameWriter::write(const Image& frame) {
  if (frame.width != impl_->width || frame.height != impl_->height) {
    throw impl_->failure("write", "the frame is " + frame.size_text());
  }
  if (av_frame_make_writable(impl_->picture.get()) < 0) throw std::bad_alloc();
  detail::pack_bgr0(frame, *impl_->picture);
  impl_->picture->pts = impl_->frames;
  impl_->send(impl_->picture.get());
  ++impl_->frames;
}

std::int64_t FrameWriter::frames() const {
  return impl_->frames;
}

void FrameWriter::finish() {
  impl_->send(nullptr);
  impl_->muxer.finish();
}

}  // namespace reelfarm::video
