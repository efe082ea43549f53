#include "coordinator/own_files.hpp"

#include <unistd.h>

#include <cerrno>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/window_artifact.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error || error == std::errc::file_exists) return;
  if (error == std::errc::no_such_file_or_directory) throw artifacts::StorageError("link", from, 0, ENOENT);
  // No links on this file system, or none more of this file.
  fs::copy_file(from, to, error);
  if (error) throw artifacts::StorageError("copy", from, 0, error.value());
  artifacts::sync_path(to);
}

void remove_staged(const fs::path& staged) {
  std::error_code error;
  fs::remove_all(staged, error);
  if (error) throw artifacts::StorageError("remove", staged, 0, error.value());
}

/// Where another coordinator was first, its files stay: they have the same content.
void publish(const fs::path& staged, const fs::path& place) try {
  artifacts::rename_durably(staged, place);
} catch (const artifacts::StorageError& error) {
  remove_staged(staged);
  if (error.code().value() != EEXIST) throw;
}

fs::path staging_name(const fs::path& place) {
  return place.parent_path() /
         (".staging-" + place.filename().string() + "-" + std::to_string(::getpid()) + place.extension().string());
}

}  // namespace

fs::path own_window(const queue::DataFolder& data, const fs::path& window, const std::string& job) {
  fs::path place = data.job_windows(job) / window.filename();
  if (fs::exists(place / artifacts::kManifestFile)) return place;
  artifacts::WindowManifest manifest = artifacts::open_window(window, artifacts::Check::kSizes);
  manifest.job = job;
  const fs::path staged = staging_name(place);
  remove_staged(staged);
  artifacts::create_folders(staged);
  for (const artifacts::ManifestFile& file : manifest.files) link_or_copy(window / file.name, staged / file.name);
  artifacts::write_file_durably(staged / artifacts::kManifestFile, artifacts::to_text(manifest));
  artifacts::sync_path(staged);
  publish(staged, place);
  return place;
}

fs::path own_image(const queue::DataFolder& data, const fs::path& image, const std::string& job) {
  fs::path place = data.job_image(job) / image.filename();
  if (fs::exists(place)) return place;
  artifacts::create_folders(place.parent_path());
  const fs::path staged = staging_name(place);
  remove_staged(staged);
  link_or_copy(image, staged);
  publish(staged, place);
  return place;
}

}  // namespace reelfarm::coordinator
