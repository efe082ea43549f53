#include "pipeline/weights/detail/digest_cache.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights::detail {
namespace fs = std::filesystem;
namespace {

constexpr int kSchema = 1;
constexpr std::uint64_t kMaxCacheBytes = 16 << 20;
constexpr std::size_t kDigestDigits = 64;

// A file changed this shortly before it was hashed may change again without a new time stamp, as far as the clock of
// the file system can tell (FAT counts 2 seconds).
constexpr std::chrono::seconds kSettled{2};

struct Identity {
  std::string key;
  std::chrono::nanoseconds last_change;
};

std::chrono::nanoseconds since_epoch(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Identity identity_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    throw WeightError("weights: cannot stat " + file.string() + ": " + std::strerror(errno));
  const auto modified = since_epoch(status.st_mtim), changed = since_epoch(status.st_ctim);
  std::error_code error;
  const fs::path whole = fs::canonical(file, error);
  return {(error ? file : whole).string() + "|" + std::to_string(status.st_size) + "|" + std::to_string(status.st_dev) +
              ":" + std::to_string(status.st_ino) + "|" + std::to_string(modified.count()) + "|" +
              std::to_string(changed.count()),
          std::max(modified, changed)};
}

bool settled(const Identity& identity, std::chrono::nanoseconds started) {
  return identity.last_change + kSettled < started;
}

}  // namespace

DigestCache::DigestCache(fs::path file) : file_(std::move(file)) {
  std::error_code ignored;
  if (file_.empty() || !fs::is_regular_file(file_, ignored)) return;
  try {
    const auto root = nlohmann::json::parse(artifacts::read_file(file_, kMaxCacheBytes));
    if (root.at("schema") != kSchema) return;
    for (const auto& item : root.at("digests").items())
      if (item.value().is_string() && item.value().get_ref<const std::string&>().size() == kDigestDigits)
        digests_.emplace(item.key(), item.value().get<std::string>());
  } catch (const nlohmann::json::exception&) {
    digests_.clear();
  } catch (const artifacts::ArtifactError&) {
    digests_.clear();
  }
}

std::string DigestCache::digest_of(const fs::path& file) {
  const auto started = std::chrono::system_clock::now().time_since_epoch();
  const Identity before = identity_of(file);
  if (const auto known = digests_.find(before.key); known != digests_.end()) return known->second;
  std::string digest;
  try {
    digest = artifacts::sha256_of_file(file);
  } catch (const artifacts::ArtifactError& error) {
    throw WeightError(std::string("weights: ") + error.what());
  }
  if (identity_of(file).key != before.key)
    throw WeightError("weights: " + file.string() + " changed while it was read");
  if (settled(before, started)) {
    digests_.emplace(before.key, digest);
    changed_ = true;
  }
  return digest;
}

void DigestCache::save() const {
  if (file_.empty() || !changed_) return;
  try {
    if (file_.has_parent_path()) artifacts::create_folders(file_.parent_path());
    artifacts::write_file_durably(file_, nlohmann::json{{"schema", kSchema}, {"digests", digests_}}.dump(1));
  } catch (const artifacts::ArtifactError&) {
    // A cache on a full or read-only disk: the digests are computed again next time.
  } catch (const nlohmann::json::exception&) {
    // A path that is not UTF-8 has no place in JSON.
  }
}

}  // namespace reelfarm::weights::detail
