#include "pipeline/video/detail/av.hpp"

#include <array>
#include <mutex>
#include <new>

#include "pipeline/video/errors.hpp"

namespace reelfarm::video::detail {
namespace {

constexpr std::size_t kMaxLogged = 400;
thread_local LogCapture* current_capture = nullptr;

template <typename Owner, typename Raw>
Owner own(Raw* raw) {
  if (raw == nullptr) throw std::bad_alloc();
  return Owner(raw);
}

}  // namespace

// FFmpeg has one log callback per process. Threads without a capture stay silent: errors travel as exceptions.
void append_log(void* object, int level, const char* format, va_list arguments) {
  if (current_capture == nullptr || level > AV_LOG_WARNING) return;
  if (level <= AV_LOG_ERROR) current_capture->has_errors_ = true;
  if (current_capture->text_.size() >= kMaxLogged) return;
  std::array<char, 256> line;
  int prefix = 1;
  av_log_format_line(object, level, format, arguments, line.data(), static_cast<int>(line.size()), &prefix);
  std::string text = line.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  // "[mjpeg @ 0x55...] words": the address differs from run to run and says nothing.
  const std::size_t address = text.find(" @ 0x");
  const std::size_t bracket = address == std::string::npos ? address : text.find(']', address);
  if (bracket != std::string::npos) text.erase(address, bracket - address);
  if (!current_capture->text_.empty()) current_capture->text_ += "; ";
  current_capture->text_ += text;
}

AvFrame make_frame() {
  return own<AvFrame>(av_frame_alloc());
}

AvFrame make_frame(AVPixelFormat format, int width, int height) {
  AvFrame frame = make_frame();
  frame->format = format;
  frame->width = width;
  frame->height = height;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  return frame;
}

AvPacket make_packet() {
  return own<AvPacket>(av_packet_alloc());
}
AvCodec make_codec(const AVCodec* codec) {
  return own<AvCodec>(avcodec_alloc_context3(codec));
}

std::string av_words(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(error, text.data(), text.size());
  return text.data();
}

LogCapture::LogCapture() : outer_(current_capture) {
  static std::once_flag installed;
  std::call_once(installed, [] { av_log_set_callback(&append_log); });
  current_capture = this;
}

LogCapture::~LogCapture() {
  current_capture = outer_;
}

std::string LogCapture::words(int error) const {
  return text_.empty() ? av_words(error) : av_words(error) + " (" + text_ + ")";
}

void set_option(void* object, const char* name, const std::string& value) {
  const int result = av_opt_set(object, name, value.c_str(), AV_OPT_SEARCH_CHILDREN);
  if (result < 0) {
    throw VideoError("FFmpeg refuses option " + std::string(name) + "=" + value + ": " + av_words(result));
  }
}

}  // namespace reelfarm::video::detail
