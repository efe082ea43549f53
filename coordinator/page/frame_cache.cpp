#include "coordinator/page/frame_cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "coordinator/errors.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/submission/sibling.hpp"
#include "pipeline/artifacts/file.hpp"
#include "queue/job.hpp"

namespace reelfarm::page {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{32} << 20;
constexpr int kMaxDecoding = 2;
constexpr int kNoSuchFrame = 4;  ///< what reelfarm-image ends with then

}  // namespace

std::string FrameCache::frame(const std::filesystem::path& video, std::int64_t frame, int width) {
  const Words words = {"--frame", video.string(), std::to_string(frame), std::to_string(width)};
  const Png png = kept_or_made(video.string() + "#" + words[2] + "#" + words[3], [&] { return run(words, {}); });
  if (!png) throw http::Refusal(404, "the video has no such frame");
  return *png;
}

std::optional<std::string> FrameCache::latents(const std::filesystem::path& steps, const std::string& task,
                                               const std::filesystem::path& tail, const std::string& moment) {
  const Words after = tail.empty() ? Words() : Words{tail.string()};
  return kept_or_made(task + "#" + moment + "#" + tail.string(), [&] {
    return run({"--latents", steps.string(), task}, after);
  });
}

FrameCache::Png FrameCache::kept_or_made(const std::string& key, const std::function<Png()>& make) {
  const auto find = [&] {
    return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  };
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&] { return decoding_ < kMaxDecoding || find() != entries_.end(); });
  if (const auto found = find(); found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return found->png;
  }
  ++decoding_;
  lock.unlock();
  Png png;
  std::exception_ptr error;
  try {
    png = make();
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  --decoding_;
  finished_.notify_all();
  if (error) std::rethrow_exception(error);
  if (!png) return png;
  entries_.push_front({key, *png});
  bytes_ += png->size();
  while (bytes_ > kMaxBytes && entries_.size() > 1) {
    bytes_ -= entries_.back().png.size();
    entries_.pop_back();
  }
  return png;
}

FrameCache::Png FrameCache::run(Words words, const Words& after) {
  artifacts::create_folders(scratch_);
  const std::filesystem::path file = scratch_ / (".frame-" + queue::make_job_id() + ".png");
  words.push_back(file.string());
  words.insert(words.end(), after.begin(), after.end());
  const posix::Ended result = coordinator::run_sibling("reelfarm-image", words);
  if (result.exit_code == kNoSuchFrame) return std::nullopt;
  if (result.exit_code != 0) throw std::runtime_error(result.errors.substr(0, result.errors.find('\n')));
  std::string png = artifacts::read_file(file);
  ::unlink(file.c_str());
  return png;
}

}  // namespace reelfarm::page
