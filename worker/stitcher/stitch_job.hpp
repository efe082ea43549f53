#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline/stitcher/stitcher.hpp"
#include "pipeline/stitcher/video_io.hpp"
#include "pipeline/stitcher/write_behind.hpp"
#include "pipeline/video/encoder.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::worker {

/// What a window's task left is damaged or gone: it has to be rendered again.
class LostWindow : public std::runtime_error {
 public:
  LostWindow(const queue::TaskRecord& window, const std::string& what)
      : std::runtime_error(what), task_(window.spec.id), digest_(window.artifact.sha256) {}

  const std::string& task() const { return task_; }
  const std::string& digest() const { return digest_; }

 private:
  std::string task_;
  std::string digest_;
};

struct EncodingChoice {
  std::string preset;  ///< empty: the codec's default
  /// Decides the bytes, like the fingerprint of a group: the same on all stitchers of a farm.
  int threads = video::EncoderOptions{}.threads;
};

/// One stitch task that is held: follows the job's windows and writes them into a file that plays while it grows.
/// Work starts again from frame 0 with every attempt (the windows are all there), so the bytes of the final file do not
/// depend on who was killed when.
class StitchJob {
 public:
  /// Creates DATA/jobs/<job>/stitch/partial_*. `after_frame` is called for every frame and may throw to stop.
  /// Throws stitcher::StitchError when the tasks are not the grid that the job asks for, VideoError, StorageError.
  StitchJob(const queue::Lease& lease, const std::vector<queue::TaskRecord>& tasks, const queue::DataFolder& data,
            const EncodingChoice& encoding, std::function<void()> after_frame);
  ~StitchJob();
  StitchJob(const StitchJob&) = delete;
  StitchJob& operator=(const StitchJob&) = delete;

  const queue::FencingToken& token() const { return token_; }
  const std::string& job() const { return spec_.job; }
  std::int64_t frames() const { return stitcher_.frames_written(); }
  std::int64_t windows() const { return stitcher_.next_window(); }

  /// Whether the next window is done, by these records.
  bool can_advance(const std::vector<queue::TaskRecord>& tasks) const;
  /// Merges the next window after checking its manifest and hashes. Throws LostWindow, StorageError, StitchError.
  void advance(const std::vector<queue::TaskRecord>& tasks);
  /// Whether nothing more will come: all windows are merged, or all that a job which is over leaves.
  bool complete(const std::vector<queue::TaskRecord>& tasks) const;

  /// Publishes video and sidecar under DATA/videos; what finish() of the store wants. Once only.
  queue::FinishReport publish(const std::vector<queue::TaskRecord>& tasks);
  /// Removes what publish wrote: the lease was lost in between.
  void withdraw();
  /// Removes files of earlier attempts that nobody refers to; after a finish that the queue accepted.
  void remove_predecessors() const;

 private:
  std::string base_name(bool partial) const;
  /// The window's frames, after a look at every byte. Throws artifacts::ArtifactError.
  std::filesystem::path check_window(const queue::TaskRecord& task) const;

  queue::FencingToken token_;
  queue::TaskSpec spec_;
  queue::JobSpec job_spec_;
  queue::DataFolder data_;
  std::filesystem::path partial_path_;
  std::filesystem::path video_path_;
  video::EncoderOptions encoding_;
  video::VideoEncoder encoder_;
  stitcher::EncoderSink sink_;
  stitcher::WriteBehind behind_;
  stitcher::Stitcher stitcher_;
};

/// The window tasks among a job's tasks, in order.
std::vector<const queue::TaskRecord*> windows_of(const std::vector<queue::TaskRecord>& tasks);

/// How many leading windows the stitch task may count on now: those done in a row, or what a job that is over leaves.
std::int64_t leading_windows(const std::vector<queue::TaskRecord>& tasks);

}  // namespace reelfarm::worker
