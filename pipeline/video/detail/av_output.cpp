#include "pipeline/video/detail/av_output.hpp"

#include <cstdio>
#include <new>

#include "pipeline/video/errors.hpp"

namespace reelfarm::video::detail {
namespace {

constexpr int kBufferBytes = 1 << 16;

// FFmpeg 7 made the written bytes const.
#if LIBAVFORMAT_VERSION_MAJOR >= 61
using WrittenByte = const std::uint8_t;
#else
using WrittenByte = std::uint8_t;
#endif

}  // namespace

int write_bytes(void* opaque, const std::uint8_t* bytes, int count) {
  auto* file = static_cast<AvFile*>(opaque);
  try {
    file->file_.write(std::span(bytes, static_cast<std::size_t>(count)));
    return count;
  } catch (...) {
    // No exception may pass through FFmpeg's C frames; rethrow() brings it back.
    if (!file->failure_) file->failure_ = std::current_exception();
    return AVERROR(EIO);
  }
}

std::int64_t seek_bytes(void* opaque, std::int64_t offset, int whence) {
  auto* file = static_cast<AvFile*>(opaque);
  try {
    if (whence == AVSEEK_SIZE) return file->file_.size();
    return file->file_.seek(offset, whence & ~AVSEEK_FORCE);
  } catch (...) {
    if (!file->failure_) file->failure_ = std::current_exception();
    return AVERROR(EIO);
  }
}

void FreeIo::operator()(AVIOContext* io) const {
  av_freep(&io->buffer);
  avio_context_free(&io);
}

AvFile::AvFile(const std::filesystem::path& path) : file_(artifacts::File::create(path)) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) throw std::bad_alloc();
  const auto write = [](void* opaque, WrittenByte* bytes, int count) { return write_bytes(opaque, bytes, count); };
  io_.reset(avio_alloc_context(buffer, kBufferBytes, 1, this, nullptr, write, &seek_bytes));
  if (!io_) {
    av_free(buffer);
    throw std::bad_alloc();
  }
}

void AvFile::rethrow() {
  if (failure_) std::rethrow_exception(failure_);
}

void AvFile::sync_and_close() {
  file_.sync();
  file_.close();
}

Muxer::Muxer(const std::filesystem::path& path, const char* format) : file_(std::make_unique<AvFile>(path)) {
  LogCapture log;
  AVFormatContext* raw = nullptr;
  const int result = avformat_alloc_output_context2(&raw, nullptr, format, path.c_str());
  if (result < 0) throw VideoError("this FFmpeg cannot write " + std::string(format) + ": " + log.words(result));
  context_.reset(raw);
  context_->pb = file_->io();
  // No encoder name, no date, no random ids: the same frames give the same bytes.
  context_->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_FLUSH_PACKETS | AVFMT_FLAG_CUSTOM_IO;
}

AVStream& Muxer::add_stream(const AVCodecParameters& parameters, AVRational time_base) {
  AVStream* stream = avformat_new_stream(context_.get(), nullptr);
  if (stream == nullptr || avcodec_parameters_copy(stream->codecpar, &parameters) < 0) throw std::bad_alloc();
  stream->time_base = time_base;
  return *stream;
}

void Muxer::check(int result, const std::string& attempt, const LogCapture& log) {
  file_->rethrow();
  if (result < 0) throw VideoError("cannot " + attempt + " " + path().string() + ": " + log.words(result));
}

void Muxer::write_header(const std::string& options) {
  LogCapture log;
  AVDictionary* dictionary = nullptr;
  av_dict_parse_string(&dictionary, options.c_str(), "=", ":", 0);
  const int result = avformat_write_header(context_.get(), &dictionary);
  const AVDictionaryEntry* unknown = av_dict_get(dictionary, "", nullptr, AV_DICT_IGNORE_SUFFIX);
  const std::string left = unknown == nullptr ? "" : unknown->key;
  av_dict_free(&dictionary);
  check(result, "begin", log);
  if (!left.empty()) throw VideoError("FFmpeg's " + std::string(context_->oformat->name) + " has no option " + left);
}

void Muxer::write(AVPacket& packet, AVRational time_base) {
  LogCapture log;
  av_packet_rescale_ts(&packet, time_base, context_->streams[0]->time_base);
  packet.stream_index = 0;
  check(av_write_frame(context_.get(), &packet), "write a frame of", log);
}

void Muxer::finish() {
  LogCapture log;
  check(av_write_trailer(context_.get()), "finish", log);
  avio_flush(file_->io());
  check(file_->io()->error, "finish", log);
  file_->sync_and_close();
}

}  // namespace reelfarm::video::detail
