#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "queue/errors.hpp"

namespace reelfarm::queue {

/// DATA cannot be used: it is missing, not writable, has no marker, or belongs to another farm.
class DataFolderError : public Error {
 public:
  using Error::Error;
};

/// Where everything is that must survive Redis. Artifact::path and JobRecord::output are relative to root().
///
///     farm.id              marker: which farm the folder belongs to (made by the coordinator)
///     farm.json            how to reach the farm that `reelfarm up` runs here: URL, pids
///     jobs/<job>/          job.json (the accepted plan), state.json (changes, how it ended), windows/, image/, stitch/
///     inputs/<sha256>      input images by content
///     bundles/<hash>/      tokenizers of the bundles that groups have loaded, for counting a prompt's tokens at submit
///     videos/              published videos
///     logs/  run/  redis/  of the processes that `reelfarm up` starts
class DataFolder {
 public:
  explicit DataFolder(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path marker() const { return root_ / "farm.id"; }
  std::filesystem::path farm_file() const { return root_ / "farm.json"; }
  std::filesystem::path jobs() const { return root_ / "jobs"; }
  std::filesystem::path job(std::string_view job) const { return jobs() / job; }
  std::filesystem::path job_file(std::string_view id) const { return job(id) / "job.json"; }
  /// The same file of a job whose removal has begun: nobody brings it back from there.
  std::filesystem::path removed_job_file(std::string_view id) const { return job(id) / "removed.json"; }
  std::filesystem::path job_state(std::string_view id) const { return job(id) / "state.json"; }
  std::filesystem::path job_windows(std::string_view id) const { return job(id) / "windows"; }
  /// What ranks have reached in windows that are not finished.
  std::filesystem::path job_steps(std::string_view id) const { return job_windows(id) / ".steps"; }
  std::filesystem::path job_image(std::string_view id) const { return job(id) / "image"; }
  std::filesystem::path job_stitch(std::string_view id) const { return job(id) / "stitch"; }
  std::filesystem::path job_placement(std::string_view id) const { return job(id) / "placed.json"; }
  std::filesystem::path inputs() const { return root_ / "inputs"; }
  std::filesystem::path input(std::string_view sha256) const { return inputs() / sha256; }
  std::filesystem::path bundles() const { return root_ / "bundles"; }
  std::filesystem::path tokenizer(std::string_view bundle_hash, std::string_view name) const {
    return bundles() / bundle_hash / name;
  }
  std::filesystem::path videos() const { return root_ / "videos"; }
  std::filesystem::path logs() const { return root_ / "logs"; }
  std::filesystem::path run() const { return root_ / "run"; }
  std::filesystem::path coordinator_file() const { return run() / "coordinator.json"; }
  std::filesystem::path redis() const { return root_ / "redis"; }

  /// `path` as Artifact::path stores it: relative to root(), without "..". Throws DataFolderError outside of it.
  std::string relative(const std::filesystem::path& path) const;
  /// Where a stored relative path is; throws DataFolderError for an absolute one or one that leaves root().
  std::filesystem::path absolute(std::string_view stored) const;

  /// The farm id in the marker; nothing when there is no marker. Throws DataFolderError when it cannot be read.
  std::optional<std::string> owner() const;
  /// Throws DataFolderError unless the marker names `farm_id`: the disk may be another's, or not mounted.
  void require_owner(std::string_view farm_id) const;
  /// What require_owner would throw; empty when the folder is that farm's. For those who wait until it is.
  std::string complaint(std::string_view farm_id) const;

 private:
  std::filesystem::path root_;
};

}  // namespace reelfarm::queue
