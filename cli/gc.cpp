#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk/garbage.hpp"
#include "cli/disk/usage.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {

int run_gc(const Arguments& arguments) {
  const bool dry_run = arguments.flag("dry-run");
  const bool as_json = arguments.flag("json");
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  data.require_owner(store.farm_id());
  const GarbageSearch search = find_garbage(store, data);
  for (const std::string& note : search.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  DiskUsage usage;
  std::uint64_t total = 0;
  int code = kDone;
  for (const Garbage& garbage : search.found) {
    const std::uint64_t bytes = usage.of(garbage.path);
    if (std::error_code error; !dry_run && (std::filesystem::remove_all(garbage.path, error), error)) {
      std::fprintf(stderr, "reelfarm: cannot remove %s: %s\n", garbage.path.c_str(), error.message().c_str());
      code = kInternalError;
      continue;
    }
    total += bytes;
    if (as_json) {
      const nlohmann::json document = {{"path", garbage.path.string()}, {"bytes", bytes}, {"why", garbage.why}};
      std::printf("%s\n", document.dump().c_str());
    } else {
      std::printf("%10s  %s  (%s)\n", bytes_text(bytes).c_str(), data.relative(garbage.path).c_str(),
                  garbage.why.c_str());
    }
  }
  if (!as_json) std::printf("%s%s\n", bytes_text(total).c_str(), dry_run ? " would be freed" : " freed");
  return code;
}

}  // namespace reelfarm::cli
