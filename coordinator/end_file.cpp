#include "coordinator/end_file.hpp"

#include <nlohmann/json.hpp>

#include "coordinator/report_json.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/json_integer.hpp"
#include "queue/codec.hpp"

namespace reelfarm::coordinator {
namespace {

using nlohmann::json;

std::string to_text(const EndFile& file) {
  return json{{"schema", queue::kSchema},
              {"state", to_string(file.end.state)},
              {"error_class", file.end.error.error_class},
              {"error", file.end.error.message},
              {"error_task", file.end.error.task},
              {"finished_ms", file.end.finished.time_since_epoch().count()},
              {"fingerprint", file.fingerprint},
              {"video", file.video ? to_json(*file.video) : json(nullptr)}}
             .dump(1) +
         "\n";
}

EndFile parse_end_file(const std::string& text) try {
  const json document = json::parse(text);
  const int schema = artifacts::json_integer<int>(document, "schema");
  if (schema != queue::kSchema) {
    throw queue::SchemaError(schema, queue::kSchema, "end.json has schema " + std::to_string(schema));
  }
  EndFile file;
  file.end.state = queue::job_state_from(document.at("state").get<std::string>());
  file.end.error = {document.at("error_class").get<std::string>(), document.at("error").get<std::string>(),
                    document.at("error_task").get<std::string>()};
  file.end.finished =
      queue::ServerTime(std::chrono::milliseconds(artifacts::json_integer<std::int64_t>(document, "finished_ms")));
  file.fingerprint = document.at("fingerprint").get<std::string>();
  if (!document.at("video").is_null()) file.video = report_from_json(document.at("video"));
  return file;
} catch (const json::exception& error) {
  throw queue::CodecError(std::string("end.json cannot be read: ") + error.what());
}

std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return artifacts::read_file(path);
}

}  // namespace

std::optional<EndFile> read_end_file(const queue::DataFolder& data, const std::string& job) {
  const auto text = read_text(data.job_end(job));
  if (!text) return std::nullopt;
  return parse_end_file(*text);
}

void keep_end_file(const queue::DataFolder& data, queue::JobStore& store, const queue::JobRecord& job) {
  const auto path = data.job_end(job.id);
  if (!queue::is_terminal(job.state)) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) throw artifacts::StorageError("remove", path, 0, error.value());
    return;
  }
  EndFile file{{job.state, job.error, job.finished}, job.fingerprint, std::nullopt};
  if (!job.output.empty()) {
    const auto stitch = store.get_task(queue::task_id(job.id, queue::TaskKind::stitch));
    if (!stitch) return;  // removed since the record was read
    file.video = queue::FinishReport{stitch->artifact.sha256, stitch->artifact, std::nullopt, stitch->metrics};
  }
  const std::string text = to_text(file);
  // Without a job.json it would not be brought back: it was cancelled in the inbox.
  if (read_text(path) != text && std::filesystem::exists(data.job_file(job.id))) {
    artifacts::write_file_durably(path, text);
  }
}

}  // namespace reelfarm::coordinator
