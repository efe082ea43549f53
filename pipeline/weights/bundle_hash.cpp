#include "pipeline/weights/bundle_hash.hpp"

#include <algorithm>
#include <vector>

#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/weights/detail/digest_cache.hpp"

namespace reelfarm::weights {
namespace fs = std::filesystem;
namespace {

/// Names of the component's files whose bytes decide what it computes.
std::vector<std::string> deciding_files(const fs::path& folder) {
  std::vector<std::string> files, others;
  bool safetensors = false;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    const fs::path name = it->path().filename();
    if (!it->is_regular_file(ignored) || name.string().starts_with(".")) continue;
    safetensors = safetensors || is_safetensors(name);
    if (is_safetensors(name) || name.extension() == ".json" || name.extension() == ".txt") files.push_back(name);
    if (is_other_weights(name)) others.push_back(name);
  }
  if (error) throw WeightError("weights: cannot list " + folder.string() + ": " + error.message());
  // Beside safetensors they are the same weights once more, and nothing reads them.
  if (!safetensors) files.insert(files.end(), others.begin(), others.end());
  return files;
}

}  // namespace

std::string bundle_hash(const Bundle& bundle, const fs::path& cache_file) {
  std::vector<std::string> files{"model_index.json"};
  std::error_code ignored;
  if (fs::exists(bundle.path() / "reelfarm.json", ignored)) files.emplace_back("reelfarm.json");
  for (const std::string& component : bundle.components())
    for (const std::string& file : deciding_files(bundle.folder(component))) files.push_back(component + "/" + file);
  std::sort(files.begin(), files.end());

  detail::DigestCache cache(cache_file);
  artifacts::Sha256 hash;
  for (const std::string& file : files) {
    const fs::path path = bundle.path() / file;
    std::string line = file;
    line.append(" ").append(std::to_string(fs::file_size(path)));
    line.append(" ").append(cache.digest_of(path)).append("\n");
    hash.update(line);
  }
  cache.save();
  if (!bundle.loras().empty()) hash.update(identity_of(bundle.loras(), cache_file));
  return hash.finish();
}

fs::path digest_cache_file(const char* xdg_cache_home, const char* home) {
  const fs::path name = fs::path("reelfarm") / "sha256.json";
  if (xdg_cache_home != nullptr && *xdg_cache_home != '\0') return xdg_cache_home / name;
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache" / name;
  return {};
}

}  // namespace reelfarm::weights
