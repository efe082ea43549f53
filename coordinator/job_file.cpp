#include "coordinator/job_file.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "coordinator/report_json.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/json_integer.hpp"
#include "queue/codec.hpp"

namespace reelfarm::coordinator {

using nlohmann::json;

std::string to_text(const JobFile& file) {
  json tasks = json::array();
  for (const queue::TaskSpec& task : file.plan.tasks) tasks.push_back(queue::to_json(task));
  json finished = json::object();
  for (const auto& [task, report] : file.plan.finished) finished[task] = to_json(report);
  return json{{"schema", queue::kSchema},
              {"job", file.job},
              {"submitted_ms", file.submitted_ms},
              {"asked", queue::to_json(file.asked)},
              {"spec", queue::to_json(file.plan.spec)},
              {"bundle", queue::to_json(file.bundle)},
              {"bytes_needed", file.plan.bytes_needed},
              {"tasks", tasks},
              {"finished", finished},
              {"fingerprint", file.plan.fingerprint}}
             .dump(1) +
         "\n";
}

JobFile parse_job_file(const std::string& text) try {
  const json document = json::parse(text);
  require_schema(document, "job.json");
  JobFile file;
  file.job = document.at("job").get<std::string>();
  file.submitted_ms = artifacts::json_integer<std::int64_t>(document, "submitted_ms");
  file.asked = queue::job_spec_from_json(document.at("asked"));
  file.plan.spec = queue::job_spec_from_json(document.at("spec"));
  file.bundle = queue::bundle_limits_from_json(document.at("bundle"));
  file.plan.bytes_needed = artifacts::json_integer<std::uint64_t>(document, "bytes_needed");
  for (const json& task : document.at("tasks")) file.plan.tasks.push_back(queue::task_spec_from_json(task));
  // Of takes that go on from another's windows; left out by programs that knew no takes.
  if (const auto finished = document.find("finished"); finished != document.end()) {
    for (const auto& [task, report] : finished->items()) file.plan.finished.emplace(task, report_from_json(report));
    file.plan.fingerprint = document.at("fingerprint").get<std::string>();
  }
  return file;
} catch (const json::exception& error) {
  throw queue::CodecError(std::string("job.json cannot be read: ") + error.what());
}

std::optional<JobFile> read_job_file(const queue::DataFolder& data, const std::string& job) {
  const auto text = artifacts::read_file_if_there(data.job_file(job));
  if (!text) return std::nullopt;
  return parse_job_file(*text);
}

void create_job_file(const queue::DataFolder& data, const JobFile& file) {
  static std::atomic<std::uint64_t> counter{0};
  const auto path = data.job_file(file.job);
  artifacts::create_folders(path.parent_path());
  const auto temporary =
      path.parent_path() / (".job-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp");
  try {
    artifacts::File out = artifacts::File::create(temporary);
    out.write(to_text(file));
    out.sync();
    out.close();
    artifacts::rename_durably(temporary, path);
  } catch (const artifacts::StorageError& error) {
    ::unlink(temporary.c_str());
    if (error.code().value() != EEXIST) throw;
  }
}

}  // namespace reelfarm::coordinator
