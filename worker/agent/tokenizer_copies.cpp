#include "worker/agent/tokenizer_copies.hpp"

#include <unistd.h>

#include <string>

namespace reelfarm::worker {

namespace fs = std::filesystem;

void copy_tokenizers(const fs::path& bundle, const queue::BundleLimits& limits, const queue::DataFolder& data) {
  for (const queue::PromptLimit& limit : limits.prompt_limits) {
    const fs::path target = data.tokenizer(limits.hash, limit.tokenizer);
    if (fs::exists(target)) continue;
    fs::create_directories(target.parent_path());
    const fs::path staged = target.parent_path() / (".tokenizer-" + std::to_string(::getpid()) + ".tmp");
    fs::remove_all(staged);
    fs::create_directory(staged);
    for (const auto& entry : fs::directory_iterator(bundle / limit.tokenizer)) {
      const auto kind = entry.path().extension();
      if (kind == ".json" || kind == ".txt") fs::copy_file(entry.path(), staged / entry.path().filename());
    }
    std::error_code error;
    fs::rename(staged, target, error);
    if (!error) continue;
    fs::remove_all(staged);
    // Another group of the same bundle was quicker.
    if (!fs::exists(target)) throw fs::filesystem_error("rename", staged, target, error);
  }
}

}  // namespace reelfarm::worker
