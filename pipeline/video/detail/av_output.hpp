#pragma once

#include <exception>
#include <filesystem>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/video/detail/av.hpp"

namespace reelfarm::video::detail {

struct FreeIo {
  void operator()(AVIOContext* io) const;
};

/// A file that a muxer writes through, so that a full disk is a StorageError and not only FFmpeg's EIO.
class AvFile {
 public:
  explicit AvFile(const std::filesystem::path& path);

  AVIOContext* io() { return io_.get(); }
  /// Throws the StorageError that a callback met, if any.
  void rethrow();
  void sync_and_close();
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  friend int write_bytes(void*, const std::uint8_t*, int);
  friend std::int64_t seek_bytes(void*, std::int64_t, int);

  artifacts::File file_;
  std::unique_ptr<AVIOContext, FreeIo> io_;
  std::exception_ptr failure_;
};

/// A muxer on an AvFile with bit-exact output: header, packets, trailer.
class Muxer {
 public:
  /// `format` is FFmpeg's short name: mp4, mov, matroska.
  Muxer(const std::filesystem::path& path, const char* format);

  AVFormatContext& context() { return *context_; }
  /// A stream of the encoder's parameters.
  AVStream& add_stream(const AVCodecParameters& parameters, AVRational time_base);
  /// `options` as "key=value:key=value".
  void write_header(const std::string& options);
  /// Takes the packet's content; its times are in `time_base`.
  void write(AVPacket& packet, AVRational time_base);
  /// Writes what is left, syncs and closes the file.
  void finish();
  const std::filesystem::path& path() const { return file_->path(); }

 private:
  void check(int result, const std::string& attempt, const LogCapture& log);

  std::unique_ptr<AvFile> file_;  // Behind a pointer: callbacks hold its address.
  AvOutput context_;
};

}  // namespace reelfarm::video::detail
