#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk/garbage.hpp"
#include "cli/disk/usage.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"
#include "coordinator/removal.hpp"
#include "pipeline/artifacts/errors.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

/// Removes one thing after the other and says what it freed.
class Collection {
 public:
  Collection(const queue::DataFolder& data, bool dry_run, bool as_json)
      : data_(data), dry_run_(dry_run), as_json_(as_json) {}

  /// `remove` answers whether there was something to remove, and throws artifacts::StorageError.
  template <typename Remove>
  void take(const fs::path& path, const std::string& why, const Remove& remove) {
    const std::uint64_t bytes = usage_.of(path);
    try {
      if (!dry_run_ && !remove()) return;
    } catch (const artifacts::StorageError& error) {
      std::fprintf(stderr, "reelfarm: %s\n", error.what());
      code_ = kInternalError;
      return;
    }
    total_ += bytes;
    if (as_json_) {
      const nlohmann::json document = {{"path", path.string()}, {"bytes", bytes}, {"why", why}};
      std::printf("%s\n", document.dump().c_str());
    } else {
      std::printf("%10s  %s  (%s)\n", bytes_text(bytes).c_str(), data_.relative(path).c_str(), why.c_str());
    }
  }

  int finish() const {
    if (!as_json_) std::printf("%s%s\n", bytes_text(total_).c_str(), dry_run_ ? " would be freed" : " freed");
    return code_;
  }

 private:
  const queue::DataFolder& data_;
  bool dry_run_;
  bool as_json_;
  DiskUsage usage_;
  std::uint64_t total_ = 0;
  int code_ = kDone;
};

}  // namespace

int run_gc(const Arguments& arguments) {
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  data.require_owner(store.farm_id());
  Collection collection(data, arguments.flag("dry-run"), arguments.flag("json"));
  for (const queue::Removal& removal : store.removals()) {
    collection.take(data.job(removal.job), "its removal was interrupted", [&] {
      coordinator::remove_files(store, data, removal);
      return true;
    });
  }
  const GarbageSearch search = find_garbage(store, data);
  for (const std::string& note : search.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  for (const Garbage& garbage : search.found) {
    collection.take(garbage.path, garbage.why, [&] { return remove_garbage(garbage); });
  }
  return collection.finish();
}

}  // namespace reelfarm::cli
