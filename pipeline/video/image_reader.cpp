#include "pipeline/video/image_reader.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <cstring>
#include <new>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/video/detail/av.hpp"
#include "pipeline/video/detail/image_container.hpp"
#include "pipeline/video/detail/scaler.hpp"

namespace reelfarm::video {
namespace {

using detail::ImageKind;

constexpr int kSixteenBitPerEightBit = 257;  // 65535 / 255

AVCodecID codec_of(ImageKind kind) {
  switch (kind) {
    case ImageKind::kPng:
      return AV_CODEC_ID_PNG;
    case ImageKind::kJpeg:
      return AV_CODEC_ID_MJPEG;
    case ImageKind::kWebp:
      return AV_CODEC_ID_WEBP;
  }
  return AV_CODEC_ID_NONE;
}

const char* name_of(ImageKind kind) {
  switch (kind) {
    case ImageKind::kPng:
      return "PNG";
    case ImageKind::kJpeg:
      return "JPEG";
    case ImageKind::kWebp:
      return "WebP";
  }
  return "";
}

std::string size_text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

void check_size(std::int64_t width, std::int64_t height, const std::string& name) {
  if (width < kMinImageSide || height < kMinImageSide) {
    throw BadMedia("image " + name + " is " + size_text(width, height) + ": each side must be at least " +
                   std::to_string(kMinImageSide) + " pixels");
  }
  // Both sides are below 2^32, and the product below 2^64.
  if (static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) >
      static_cast<std::uint64_t>(kMaxImagePixels)) {
    throw BadMedia("image " + name + " is " + size_text(width, height) + ": at most " +
                   std::to_string(kMaxImagePixels / 1'000'000) + " megapixels are read; scale it down first");
  }
}

detail::AvFrame decode(std::span<const std::uint8_t> bytes, ImageKind kind, const std::string& name) {
  const auto fail = [&](const std::string& words) {
    return BadMedia("image " + name + " cannot be decoded as " + name_of(kind) + ": " + words);
  };
  const AVCodec* codec = avcodec_find_decoder(codec_of(kind));
  if (codec == nullptr) throw fail("this FFmpeg was built without that decoder");
  detail::AvCodec context = detail::make_codec(codec);
  context->thread_count = 1;  // Log lines of other threads would not be captured.
  // The image's own size is checked already; FFmpeg counts the padding of its buffers, too.
  context->max_pixels = 2 * kMaxImagePixels;
  context->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
  detail::LogCapture log;
  int result = avcodec_open2(context.get(), codec, nullptr);
  if (result < 0) throw fail(log.words(result));
  detail::AvPacket packet = detail::make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) throw std::bad_alloc();
  std::memcpy(packet->data, bytes.data(), bytes.size());
  detail::AvFrame frame = detail::make_frame();
  result = avcodec_send_packet(context.get(), packet.get());
  if (result >= 0) result = avcodec_send_packet(context.get(), nullptr);
  if (result >= 0) result = avcodec_receive_frame(context.get(), frame.get());
  if (result < 0) throw fail(log.words(result));
  if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    throw fail("it is damaged (" + log.logged() + ")");
  }
  return frame;
}

// Straight alpha over white, rounded to nearest; from 8 or 16 bits a channel.
template <typename Sample, int kMax>
Image over_white(const AVFrame& frame) {
  Image image(frame.width, frame.height);
  for (int y = 0; y < frame.height; ++y) {
    const auto* in = reinterpret_cast<const Sample*>(frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0]);
    std::uint8_t* out = image.row(y);
    for (int x = 0; x < frame.width; ++x, in += 4, out += 3) {
      const std::uint64_t alpha = in[3];
      for (int c = 0; c < 3; ++c) {
        constexpr std::uint64_t kScale = std::uint64_t{kMax} * (kMax == 255 ? 1 : kSixteenBitPerEightBit);
        const std::uint64_t sum = in[c] * alpha + kMax * (kMax - alpha);
        out[c] = static_cast<std::uint8_t>((sum + kScale / 2) / kScale);
      }
    }
  }
  return image;
}

Image to_rgb(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  const bool deep = description != nullptr && description->comp[0].depth > 8;
  detail::PixelLayout from{.format = format, .width = frame.width, .height = frame.height};
  // Both file formats mean BT.601 and chroma in the middle of its four pixels (JFIF; RFC 9649 for WebP).
  from.matrix = AVCOL_SPC_BT470BG;
  from.range = frame.color_range == AVCOL_RANGE_JPEG ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  from.chroma = AVCHROMA_LOC_CENTER;
  // swscale takes the range of the old yuvj formats from their name and grey as full range.
  const detail::PixelLayout to{.format = deep ? AV_PIX_FMT_RGBA64LE : AV_PIX_FMT_RGBA,
                               .width = frame.width,
                               .height = frame.height,
                               .matrix = AVCOL_SPC_BT470BG,
                               .range = AVCOL_RANGE_JPEG};
  detail::AvFrame rgba = detail::make_frame(to.format, to.width, to.height);
  // Linear chroma, as libjpeg and libwebp do.
  detail::Scaler(from, to, SWS_BILINEAR).convert(frame, *rgba);
  return deep ? over_white<std::uint16_t, 65535>(*rgba) : over_white<std::uint8_t, 255>(*rgba);
}

// EXIF 2.32, tag 0x0112: which edge of the stored picture is its top when seen.
Image upright(const Image& stored, int orientation) {
  if (orientation == 1) return stored;
  const bool swapped = orientation >= 5;
  Image image(swapped ? stored.height : stored.width, swapped ? stored.width : stored.height);
  const int right = stored.width - 1;
  const int bottom = stored.height - 1;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = nullptr;
      switch (orientation) {
        case 2:
          pixel = stored.pixel(right - x, y);
          break;
        case 3:
          pixel = stored.pixel(right - x, bottom - y);
          break;
        case 4:
          pixel = stored.pixel(x, bottom - y);
          break;
        case 5:
          pixel = stored.pixel(y, x);
          break;
        case 6:
          pixel = stored.pixel(y, bottom - x);
          break;
        case 7:
          pixel = stored.pixel(right - y, bottom - x);
          break;
        default:
          pixel = stored.pixel(right - y, x);
          break;
      }
      std::memcpy(image.pixel(x, y), pixel, Image::kChannels);
    }
  }
  return image;
}

}  // namespace

Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name) {
  const auto container = detail::scan_image(bytes);
  if (!container) {
    throw BadMedia("image " + name + " is " + detail::guess_content(bytes) +
                   ", not a PNG, JPEG or WebP; convert it first (`ffmpeg -i FILE image.png`)");
  }
  if (container->width > 0 && container->height > 0) check_size(container->width, container->height, name);
  if (!container->complete) {
    std::string words;
    try {
      decode(bytes, container->kind, name);
    } catch (const BadMedia& error) {
      words = std::string("; ") + error.what();
    }
    throw BadMedia("image " + name + " is truncated: its " + std::to_string(bytes.size()) +
                   " bytes end before the picture does" + words);
  }
  const detail::AvFrame frame = decode(bytes, container->kind, name);
  check_size(frame->width, frame->height, name);
  return upright(to_rgb(*frame), container->orientation);
}

Image read_image(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) throw BadMedia("image " + path.string() + " is a folder");
  artifacts::File file = artifacts::File::open_to_read(path);
  const auto size = static_cast<std::uint64_t>(file.size());
  if (size > kMaxImageBytes) {
    throw BadMedia("image " + path.string() + " has " + std::to_string(size) + " bytes: at most " +
                   std::to_string(kMaxImageBytes) + " are read");
  }
  const std::string content = artifacts::read_file(path, kMaxImageBytes);
  return decode_image(std::span(reinterpret_cast<const std::uint8_t*>(content.data()), content.size()), path.string());
}

}  // namespace reelfarm::video
