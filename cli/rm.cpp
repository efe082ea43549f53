#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk/usage.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"
#include "pipeline/artifacts/errors.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

void remove_or_throw(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw artifacts::StorageError("remove", path, 0, error.value());
}

/// Removes a job's files; returns what they took.
std::uint64_t remove_files(const queue::DataFolder& data, const queue::JobRecord& job, bool with_video) {
  DiskUsage usage;
  std::uint64_t bytes = usage.of(data.job(job.id));
  // The plan goes first: with it a coordinator whose Redis is lost would bring the job back.
  remove_or_throw(data.job_file(job.id));
  remove_or_throw(data.job(job.id));
  if (!with_video || job.output.empty()) return bytes;
  const fs::path video = data.absolute(job.output);
  for (const fs::path& file : {video, fs::path(video).replace_extension(".json")}) {
    bytes += usage.of(file);
    remove_or_throw(file);
  }
  return bytes;
}

}  // namespace

int run_rm(const Arguments& arguments) {
  const bool as_json = arguments.flag("json");
  const bool with_video = arguments.flag("videos");
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  data.require_owner(store.farm_id());
  std::vector<queue::JobRecord> jobs;
  for (const std::string& job : arguments.operands()) jobs.push_back(require_job(store, job));
  int code = kDone;
  for (const queue::JobRecord& job : jobs) {
    const queue::Change change = store.forget(job.id);
    if (change.code == queue::ChangeCode::refused) {
      std::fprintf(stderr, "reelfarm: %s is %s: %s\n", job.id.c_str(), std::string(to_string(change.state)).c_str(),
                   change.text.c_str());
      code = kBadInput;
      continue;
    }
    const std::uint64_t bytes = remove_files(data, job, with_video);
    if (as_json) {
      std::printf("%s\n", nlohmann::json{{"job", job.id}, {"bytes", bytes}}.dump().c_str());
    } else {
      std::printf("%s  removed, %s\n", job.id.c_str(), bytes_text(bytes).c_str());
    }
  }
  return code;
}

}  // namespace reelfarm::cli
