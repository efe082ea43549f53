#include "pipeline/video/detail/av_input.hpp"

#include "pipeline/artifacts/file.hpp"
#include "pipeline/video/errors.hpp"

namespace reelfarm::video::detail {

Demuxer::Demuxer(const std::filesystem::path& path) : path_(path) {
  artifacts::File::open_to_read(path);  // A missing file is a StorageError, as everywhere else.
  LogCapture log;
  AVFormatContext* raw = nullptr;
  int result = avformat_open_input(&raw, path.c_str(), nullptr, nullptr);
  context_.reset(raw);
  if (result >= 0) result = avformat_find_stream_info(raw, nullptr);
  if (result >= 0) result = stream_ = av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (result < 0) throw BadMedia("video " + path.string() + " cannot be opened: " + log.words(result));
}

bool Demuxer::read(AVPacket& packet) {
  LogCapture log;
  for (;;) {
    av_packet_unref(&packet);
    const int result = av_read_frame(context_.get(), &packet);
    if (result == AVERROR_EOF) return false;
    if (result < 0) throw BadMedia("video " + path_.string() + " cannot be read on: " + log.words(result));
    if (packet.stream_index == stream_) return true;
  }
}

}  // namespace reelfarm::video::detail
