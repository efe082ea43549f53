#include "pipeline/weights/detail/staged_folder.hpp"

#include <unistd.h>

#include <random>
#include <string>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights::detail {
namespace fs = std::filesystem;

StagedFolder::StagedFolder(const fs::path& target) : target_(target) {
  std::error_code error;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found)
    throw WeightError("weights: " + target.string() + " is there already; nothing is overwritten");
  fs::path parent = target.has_filename() ? target.parent_path() : target.parent_path().parent_path();
  if (!target.has_filename()) target_ = target.parent_path();
  if (parent.empty()) parent = ".";
  path_ = parent / ("." + target_.filename().string() + ".tmp-" + std::to_string(::getpid()) + "-" +
                    std::to_string(std::random_device{}()));
  if (!fs::create_directory(path_, error))
    throw WeightError("weights: cannot make " + path_.string() + ": " +
                      (error ? error.message() : std::string("it is there already")));
}

StagedFolder::~StagedFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void StagedFolder::require_space(std::uint64_t bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(path_, error);
  if (error || space.available >= bytes) return;
  throw WeightError("weights: " + target_.string() + " needs " + std::to_string(bytes) +
                    " bytes, its file system has " + std::to_string(space.available) + " left");
}

void StagedFolder::publish() {
  try {
    for (const auto& entry : fs::recursive_directory_iterator(path_)) artifacts::sync_path(entry.path());
    artifacts::sync_path(path_);
    artifacts::rename_durably(path_, target_);
  } catch (const artifacts::ArtifactError& error) {
    throw WeightError(std::string("weights: ") + error.what());
  } catch (const fs::filesystem_error& error) {
    throw WeightError(std::string("weights: ") + error.what());
  }
  path_.clear();
}

}  // namespace reelfarm::weights::detail
