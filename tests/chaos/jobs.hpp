#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/farm.hpp"

namespace reelfarm::chaos {

/// The same videos, asked for again and again.
struct JobPlan {
  std::filesystem::path photo;  ///< first frame of each
  int jobs = 3;                 ///< with seeds 1, 2, ...
  int frames = 60;
  int steps = 30;  ///< of denoising, per window
};

/// One round of the plan's jobs on a farm.
class Round {
 public:
  /// Submits them. Throws queue::ConnectionError, queue::Error.
  Round(Farm& farm, const JobPlan& plan);

  /// Looks at the jobs that had not ended; true when all have. Throws queue::ConnectionError.
  bool over(Farm& farm);

  const std::map<std::uint64_t, std::string>& jobs() const { return jobs_; }  ///< by seed
  std::vector<std::string> open() const;

 private:
  std::map<std::uint64_t, std::string> jobs_;
  std::map<std::string, bool> ended_;
};

/// Folders of windows, relative to DATA.
using Damaged = std::set<std::filesystem::path>;

/// What is wrong with a job that has ended: not done, a window without its one published file, a file that is not what
/// the queue says it is. What was damaged by intention may still lie there. Throws queue::ConnectionError.
std::vector<std::string> complaints_about(Farm& farm, const std::string& job, const Damaged& damaged);

/// SHA-256 of a done job's video. Throws queue::ConnectionError, artifacts::StorageError.
std::string video_of(Farm& farm, const std::string& job);

/// Removes the windows and the video of a job that has been looked at, so that a long run needs no big disk.
void remove_files(Farm& farm, const std::string& job);

}  // namespace reelfarm::chaos
