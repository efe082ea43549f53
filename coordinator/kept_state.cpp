#include "coordinator/kept_state.hpp"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "coordinator/report_json.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/json_integer.hpp"
#include "queue/codec.hpp"

namespace reelfarm::coordinator {
namespace {

using nlohmann::json;

json end_to_json(const queue::SavedEnd& end) {
  return {{"state", to_string(end.state)},
          {"error_class", end.error.error_class},
          {"error", end.error.message},
          {"error_task", end.error.task},
          {"finished_ms", end.finished.time_since_epoch().count()}};
}

queue::SavedEnd end_from_json(const json& document) {
  queue::SavedEnd end;
  end.state = queue::job_state_from(document.at("state").get<std::string>());
  end.error = {document.at("error_class").get<std::string>(), document.at("error").get<std::string>(),
               document.at("error_task").get<std::string>()};
  end.finished =
      queue::ServerTime(std::chrono::milliseconds(artifacts::json_integer<std::int64_t>(document, "finished_ms")));
  return end;
}

std::string to_text(const KeptState& state) {
  const queue::SavedChanges& changes = state.changes;
  return json{{"schema", queue::kSchema},
              {"revision", changes.revision},
              {"paused", changes.paused},
              {"priority", changes.priority ? json(*changes.priority) : json(nullptr)},
              {"allow_mix", changes.allow_mix},
              {"after_waived", changes.after_waived},
              {"used", changes.used},
              {"fingerprint", state.fingerprint},
              {"image", state.image ? to_json(*state.image) : json(nullptr)},
              {"end", state.end ? end_to_json(*state.end) : json(nullptr)},
              {"video", state.video ? to_json(*state.video) : json(nullptr)}}
             .dump(1) +
         "\n";
}

KeptState parse_kept_state(const std::string& text) try {
  const json document = json::parse(text);
  require_schema(document, "state.json");
  KeptState state;
  state.changes.revision = artifacts::json_integer<std::int64_t>(document, "revision");
  state.changes.paused = document.at("paused").get<bool>();
  if (!document.at("priority").is_null()) state.changes.priority = artifacts::json_integer<int>(document, "priority");
  state.changes.allow_mix = document.at("allow_mix").get<bool>();
  state.changes.after_waived = document.at("after_waived").get<bool>();
  state.changes.used = document.at("used").get<bool>();
  state.fingerprint = document.at("fingerprint").get<std::string>();
  if (!document.at("image").is_null()) state.image = report_from_json(document.at("image"));
  if (!document.at("end").is_null()) state.end = end_from_json(document.at("end"));
  if (!document.at("video").is_null()) state.video = report_from_json(document.at("video"));
  return state;
} catch (const json::exception& error) {
  throw queue::CodecError(std::string("state.json cannot be read: ") + error.what());
}

std::optional<KeptState> parse_if_readable(const std::string& job, const std::string& text) try {
  return parse_kept_state(text);
} catch (const queue::CodecError& error) {
  spdlog::warn("job={} state_file=replaced error={}", job, logging::quoted(error.what()));
  return std::nullopt;
}

std::optional<queue::FinishReport> result_of(queue::JobStore& store, const std::string& task) {
  const auto record = store.get_task(task);
  if (!record || record->state != queue::TaskState::done) return std::nullopt;
  return queue::FinishReport{record->artifact.sha256, record->artifact, std::nullopt, record->metrics};
}

KeptState state_of(queue::JobStore& store, const queue::JobRecord& job) {
  KeptState state;
  state.changes = {job.revision, job.paused, job.priority, job.allow_mix, job.after_waived, job.used};
  state.fingerprint = job.fingerprint;
  // Once the job is done nobody starts from it any more.
  if (!job.fingerprint.empty() && !job.spec.image && job.state != queue::JobState::done) {
    state.image = result_of(store, queue::task_id(job.id, queue::TaskKind::image));
  }
  if (queue::is_terminal(job.state)) state.end = queue::SavedEnd{job.state, job.error, job.finished};
  if (!job.output.empty()) state.video = result_of(store, queue::task_id(job.id, queue::TaskKind::stitch));
  return state;
}

}  // namespace

std::optional<KeptState> read_kept_state(const queue::DataFolder& data, const std::string& job) {
  const auto text = artifacts::read_file_if_there(data.job_state(job));
  if (!text) return std::nullopt;
  return parse_kept_state(*text);
}

bool keep_state(const queue::DataFolder& data, queue::JobStore& store, const queue::JobRecord& job) {
  const bool unreadable = job.windows == 0 && job.revision == 0;
  // Without a job.json it would not be brought back: it was cancelled in the inbox.
  if (unreadable || !std::filesystem::exists(data.job_file(job.id))) return true;
  const auto before = artifacts::read_file_if_there(data.job_state(job.id));
  const auto kept = before ? parse_if_readable(job.id, *before) : std::nullopt;
  if (kept && kept->changes.revision > job.revision) return false;
  const KeptState state = state_of(store, job);
  if (!before && job.revision == 0 && !state.image) return true;
  const std::string text = to_text(state);
  if (before != text) artifacts::write_file_durably(data.job_state(job.id), text);
  return true;
}

}  // namespace reelfarm::coordinator
