#pragma once

#include <optional>
#include <string>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// DATA/jobs/<job>/job.json: what was asked and what was decided. It is on the disk before Redis hears of the decision,
/// and it is never changed afterwards: whoever comes second (another coordinator, the same one after a crash) accepts
/// the plan that is there.
struct JobFile {
  std::string job;
  queue::JobSpec asked;
  queue::Plan plan;
  queue::BundleLimits bundle;  ///< as it was when the job was planned
  std::int64_t submitted_ms = 0;
};

std::string to_text(const JobFile& file);
/// Throws queue::CodecError.
JobFile parse_job_file(const std::string& text);

/// Nothing when there is none. Throws queue::CodecError for an unreadable one, artifacts::StorageError.
std::optional<JobFile> read_job_file(const queue::DataFolder& data, const std::string& job);

/// Writes the file unless there is one already. The file itself is on the disk on return; the entry of a new job's
/// folder is once DATA/jobs is synced, which one call can do for many jobs. Throws artifacts::StorageError.
void create_job_file(const queue::DataFolder& data, const JobFile& file);

}  // namespace reelfarm::coordinator
