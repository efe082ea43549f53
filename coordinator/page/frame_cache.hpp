#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace reelfarm::page {

/// Small PNGs that reelfarm-image makes, a few at a time: single frames of videos, windows' latents. The latest stay in
/// memory.
/// Thread-safe.
class FrameCache {
 public:
  /// `scratch`: where a frame lies for a moment.
  explicit FrameCache(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}

  /// Frame `frame` of a file, no wider than `width` pixels, as PNG. Throws http::Refusal 404 when it has no such frame.
  std::string frame(const std::filesystem::path& video, std::int64_t frame, int width);

  /// What a window's latents below `steps` show, in the colours of `tail` (empty: HunyuanVideo's). `moment` says how
  /// far the window is. Nothing when there are none yet, or any more.
  std::optional<std::string> latents(const std::filesystem::path& steps, const std::string& task,
                                     const std::filesystem::path& tail, const std::string& moment);

 private:
  struct Entry {
    std::string key;
    std::string png;
  };

  using Words = std::vector<std::string>;
  using Png = std::optional<std::string>;
  Png kept_or_made(const std::string& key, const std::function<Png()>& make);
  /// Runs reelfarm-image with `words`, the file to write and `after`. Nothing: what is asked for is not there.
  Png run(Words words, const Words& after);

  std::filesystem::path scratch_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::list<Entry> entries_;  ///< latest used first
  std::size_t bytes_ = 0;
  int decoding_ = 0;
};

}  // namespace reelfarm::page
