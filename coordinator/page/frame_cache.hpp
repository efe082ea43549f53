#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <list>
#include <mutex>
#include <string>

namespace reelfarm::page {

/// Single frames of videos as small PNGs, decoded by reelfarm-image, a few at a time; the latest stay in memory.
/// Thread-safe.
class FrameCache {
 public:
  /// `scratch`: where a frame lies for a moment.
  explicit FrameCache(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}

  /// Frame `frame` of a file, no wider than `width` pixels, as PNG. Throws http::Refusal 404 when it has no such frame.
  std::string frame(const std::filesystem::path& video, std::int64_t frame, int width);

 private:
  struct Entry {
    std::string key;
    std::string png;
  };

  std::string decode(const std::filesystem::path& video, std::int64_t frame, int width);

  std::filesystem::path scratch_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::list<Entry> entries_;  ///< latest used first
  std::size_t bytes_ = 0;
  int decoding_ = 0;
};

}  // namespace reelfarm::page
