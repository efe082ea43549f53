#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

/// One owning type per FFmpeg handle, and FFmpeg's own words for its errors.
namespace reelfarm::video::detail {

struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct CloseInput {
  void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
struct FreeOutput {
  void operator()(AVFormatContext* context) const { avformat_free_context(context); }
};
struct FreeSws {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};

using AvFrame = std::unique_ptr<AVFrame, FreeFrame>;
using AvPacket = std::unique_ptr<AVPacket, FreePacket>;
using AvCodec = std::unique_ptr<AVCodecContext, FreeCodec>;
using AvInput = std::unique_ptr<AVFormatContext, CloseInput>;
using AvOutput = std::unique_ptr<AVFormatContext, FreeOutput>;
using AvSws = std::unique_ptr<SwsContext, FreeSws>;

/// These throw std::bad_alloc.
AvFrame make_frame();
/// A frame with its own aligned buffers.
AvFrame make_frame(AVPixelFormat format, int width, int height);
AvPacket make_packet();
AvCodec make_codec(const AVCodec* codec);

/// av_strerror
std::string av_words(int error);

/// Collects what FFmpeg logs at warning level and above on this thread while it lives; nothing of it is printed.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// "av_strerror's words (first logged lines)"
  std::string words(int error) const;
  const std::string& logged() const { return text_; }
  /// Whether anything was logged at error level.
  bool has_errors() const { return has_errors_; }

 private:
  friend void append_log(void*, int, const char*, va_list);
  std::string text_;
  bool has_errors_ = false;
  LogCapture* outer_;
};

/// Sets a private or general option of a codec or muxer; throws VideoError that names it.
void set_option(void* object, const char* name, const std::string& value);

}  // namespace reelfarm::video::detail
