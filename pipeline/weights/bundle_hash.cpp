#include "pipeline/weights/bundle_hash.hpp"

#include <algorithm>
#include <vector>

#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/weights/detail/digest_cache.hpp"

namespace reelfarm::weights {
namespace fs = std::filesystem;
namespace {

bool decides_bits(const fs::path& file) {
  const std::string name = file.filename().string();
  return !name.starts_with(".") &&
         (name.ends_with(".json") || name.ends_with(".txt") || name.ends_with(".safetensors"));
}

void add_files(const fs::path& root, const std::string& component, std::vector<std::string>& files) {
  std::error_code error;
  for (fs::directory_iterator it(root / component, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored) && decides_bits(it->path()))
      files.push_back(component + "/" + it->path().filename().string());
  }
  if (error) throw WeightError("weights: cannot list " + (root / component).string() + ": " + error.message());
}

}  // namespace

std::string bundle_hash(const Bundle& bundle, const fs::path& cache_file) {
  std::vector<std::string> files{"model_index.json"};
  std::error_code ignored;
  if (fs::exists(bundle.path() / "reelfarm.json", ignored)) files.emplace_back("reelfarm.json");
  for (const std::string& component : bundle.components()) add_files(bundle.path(), component, files);
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
  return hash.finish();
}

fs::path digest_cache_file(const char* xdg_cache_home, const char* home) {
  const fs::path name = fs::path("reelfarm") / "sha256.json";
  if (xdg_cache_home != nullptr && *xdg_cache_home != '\0') return xdg_cache_home / name;
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache" / name;
  return {};
}

}  // namespace reelfarm::weights
