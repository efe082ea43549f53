#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk/usage.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

/// Bytes on the disk.
struct JobUsage {
  std::uint64_t windows = 0;
  std::uint64_t other = 0;  ///< first frame, stitch, plan
  std::uint64_t video = 0;
};

JobUsage usage_of(DiskUsage& usage, const queue::DataFolder& data, const queue::JobRecord& job) {
  JobUsage result;
  result.windows = usage.of(data.job_windows(job.id));
  // Apart from its windows, which must not count twice.
  result.other = usage.of(data.job_image(job.id)) + usage.of(data.job_stitch(job.id)) + usage.of(data.job_file(job.id));
  if (!job.output.empty()) result.video = usage.of(data.absolute(job.output));
  return result;
}

void print_job(const queue::JobRecord& job, const JobUsage& usage, bool as_json) {
  const std::string state(to_string(job.state));
  if (as_json) {
    const json document = {{"job", job.id},        {"state", state},       {"windows", usage.windows},
                           {"other", usage.other}, {"video", usage.video}, {"bytes_needed", job.bytes_needed}};
    std::printf("%s\n", document.dump().c_str());
    return;
  }
  const std::string name = job.spec.name.empty() ? job.spec.prompt : job.spec.name;
  std::printf("%-13s  %-9s  %10s  %10s  %10s  %s\n", job.id.c_str(), state.c_str(), bytes_text(usage.windows).c_str(),
              bytes_text(usage.other).c_str(), bytes_text(usage.video).c_str(), one_line(name, 40).c_str());
}

void print_farm(DiskUsage& usage, const queue::DataFolder& data, std::uint64_t reserved, bool as_json) {
  const std::uint64_t inputs = usage.of(data.inputs());
  DiskUsage all;
  const std::uint64_t total = all.of(data.root());
  const std::uint64_t videos = DiskUsage().of(data.videos());
  const auto space = std::filesystem::space(data.root());
  if (as_json) {
    const json document = {{"inputs", inputs},     {"videos", videos},        {"total", total},
                           {"reserved", reserved}, {"free", space.available}, {"capacity", space.capacity}};
    std::printf("%s\n", document.dump().c_str());
    return;
  }
  std::printf("inputs %s, all videos %s, all of %s %s\n", bytes_text(inputs).c_str(), bytes_text(videos).c_str(),
              data.root().c_str(), bytes_text(total).c_str());
  std::printf("jobs that are not over may need up to %s; free %s of %s\n", bytes_text(reserved).c_str(),
              bytes_text(space.available).c_str(), bytes_text(space.capacity).c_str());
}

}  // namespace

int run_du(const Arguments& arguments) {
  const bool as_json = arguments.flag("json");
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  data.require_owner(store.farm_id());
  std::vector<queue::JobRecord> jobs;
  for (const std::string& job : arguments.operands()) jobs.push_back(require_job(store, job));
  if (arguments.operands().empty()) jobs = store.list_jobs();
  DiskUsage usage;
  if (!as_json) std::printf("%-13s  %-9s  %10s  %10s  %10s  %s\n", "job", "state", "windows", "other", "video", "name");
  for (const queue::JobRecord& job : jobs) {
    print_job(job, usage_of(usage, data, job), as_json);
  }
  if (arguments.operands().empty()) print_farm(usage, data, store.reserved_bytes(), as_json);
  return kDone;
}

}  // namespace reelfarm::cli
