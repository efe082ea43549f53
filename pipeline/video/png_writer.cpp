#include "pipeline/video/png_writer.hpp"

#include <cstring>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/video/detail/av.hpp"

namespace reelfarm::video {

void write_png(const Image& image, const std::filesystem::path& path) {
  const auto check = [&](int result, const detail::LogCapture& log) {
    if (result >= 0) return;
    throw VideoError("cannot encode " + path.string() + " (" + image.size_text() + "): " + log.words(result));
  };
  detail::LogCapture log;
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (codec == nullptr) throw VideoError("this FFmpeg was built without a PNG encoder");
  detail::AvCodec context = detail::make_codec(codec);
  context->width = image.width;
  context->height = image.height;
  context->pix_fmt = AV_PIX_FMT_RGB24;
  context->time_base = {1, 1};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_BITEXACT;
  check(avcodec_open2(context.get(), codec, nullptr), log);
  detail::AvFrame frame = detail::make_frame(AV_PIX_FMT_RGB24, image.width, image.height);
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(frame->data[0] + std::ptrdiff_t{y} * frame->linesize[0], image.row(y), image.stride());
  }
  frame->pts = 0;
  detail::AvPacket packet = detail::make_packet();
  check(avcodec_send_frame(context.get(), frame.get()), log);
  check(avcodec_send_frame(context.get(), nullptr), log);
  check(avcodec_receive_packet(context.get(), packet.get()), log);
  artifacts::File file = artifacts::File::create(path);
  file.write(std::span<const std::uint8_t>(packet->data, static_cast<std::size_t>(packet->size)));
  file.close();
}

}  // namespace reelfarm::video
