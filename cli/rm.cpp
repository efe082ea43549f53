#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk/usage.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"
#include "coordinator/removal.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

std::uint64_t size_of(const queue::DataFolder& data, const queue::Removal& removal) {
  DiskUsage usage;
  std::uint64_t bytes = usage.of(data.job(removal.job));
  if (removal.video.empty()) return bytes;
  const fs::path video = data.absolute(removal.video);
  for (const fs::path& file : {video, fs::path(video).replace_extension(".json")}) bytes += usage.of(file);
  return bytes;
}

/// One for each of `jobs`; where an earlier `rm` was interrupted, that one's. Throws BadInput when there is no such
/// job.
std::vector<queue::Removal> removals_of(queue::JobStore& store, const std::vector<std::string>& jobs, bool with_video) {
  const std::vector<queue::Removal> unfinished = store.removals();
  std::vector<queue::Removal> removals;
  for (const std::string& job : jobs) {
    if (std::ranges::find(removals, job, &queue::Removal::job) != removals.end()) continue;
    const auto found = std::ranges::find(unfinished, job, &queue::Removal::job);
    if (found != unfinished.end()) {
      removals.push_back(*found);
    } else {
      const queue::JobRecord record = require_job(store, job);
      removals.push_back({job, with_video ? record.output : ""});
    }
  }
  return removals;
}

}  // namespace

int run_rm(const Arguments& arguments) {
  const bool as_json = arguments.flag("json");
  const bool with_video = arguments.flag("videos");
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  data.require_owner(store.farm_id());
  int code = kDone;
  for (const queue::Removal& removal : removals_of(store, arguments.operands(), with_video)) {
    const char* job = removal.job.c_str();
    const queue::Change change = store.forget(removal.job, with_video);
    if (change.code == queue::ChangeCode::not_found) {
      std::fprintf(stderr, "reelfarm: %s has gone meanwhile\n", job);
      code = kBadInput;
      continue;
    }
    if (change.code == queue::ChangeCode::refused) {
      std::fprintf(stderr, "reelfarm: %s is %s: %s\n", job, std::string(to_string(change.state)).c_str(),
                   change.text.c_str());
      code = kBadInput;
      continue;
    }
    const std::uint64_t bytes = size_of(data, removal);
    coordinator::remove_files(store, data, removal);
    if (as_json) {
      std::printf("%s\n", nlohmann::json{{"job", removal.job}, {"bytes", bytes}}.dump().c_str());
    } else {
      std::printf("%s  removed, %s\n", job, bytes_text(bytes).c_str());
    }
  }
  return code;
}

}  // namespace reelfarm::cli
