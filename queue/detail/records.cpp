#include "queue/detail/records.hpp"

#include <charconv>
#include <cstdlib>

#include "queue/codec.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue::detail {
namespace {

/// A rejected entry may be the very one whose spec could not be read.
JobSpec spec_if_readable(const std::string& text) {
  try {
    return decode_job_spec(text);
  } catch (const CodecError&) {
    return {};
  }
}

void check_schema(const HashFields& fields, const std::string& what) {
  const int found = static_cast<int>(fields.integer("schema"));
  if (found != kSchema) {
    throw SchemaError(found, kSchema,
                      what + ": schema " + std::to_string(found) + ", this program knows " + std::to_string(kSchema));
  }
}

}  // namespace

HashFields::HashFields(const Reply& reply) {
  for (std::size_t i = 0; i + 1 < reply.size(); i += 2) fields_[reply[i].text()] = reply[i + 1].text();
}

HashFields HashFields::unreadable() {
  HashFields fields;
  fields.fields_["schema"] = "0";
  return fields;
}

std::string HashFields::text(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? std::string() : found->second;
}

std::int64_t HashFields::integer(std::string_view name) const {
  const std::string value = text(name);
  if (value.empty()) return 0;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    throw CodecError("record field " + std::string(name) + " = \"" + value.substr(0, 40) + "\" is not a whole number");
  }
  return number;
}

double HashFields::real(std::string_view name) const {
  const std::string value = text(name);
  if (value.empty()) return 0;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    throw CodecError("record field " + std::string(name) + " = \"" + value.substr(0, 40) + "\" is not a number");
  }
  return number;
}

ServerTime HashFields::time(std::string_view name) const {
  return server_time(integer(name));
}

ServerTime server_time(std::int64_t milliseconds) {
  return ServerTime(std::chrono::milliseconds(milliseconds));
}
std::int64_t milliseconds_of(ServerTime time) {
  return time.time_since_epoch().count();
}

JobRecord job_record(const std::string& id, const HashFields& fields) {
  check_schema(fields, "job " + id);
  JobRecord job;
  job.id = id;
  job.state = job_state_from(fields.text("state"));
  job.asked = decode_job_spec(fields.text("asked"));
  job.spec = decode_job_spec(fields.text("spec"));
  job.priority = static_cast<int>(fields.integer("priority"));
  job.sequence = fields.integer("sequence");
  job.windows = static_cast<int>(fields.integer("windows"));
  job.bytes_needed = static_cast<std::uint64_t>(fields.integer("bytes_needed"));
  job.fingerprint = fields.text("fingerprint");
  job.allow_mix = fields.flag("allow_mix");
  job.hold = fields.text("hold");
  job.paused = fields.flag("paused");
  job.after_waived = fields.flag("after_waived");
  job.used = fields.flag("used");
  job.revision = fields.integer("revision");
  job.partial = fields.flag("partial");
  job.closed = fields.flag("closed");
  job.output = fields.text("output");
  job.error = {fields.text("error_class"), fields.text("error"), fields.text("error_task")};
  job.submitted = fields.time("submitted");
  job.accepted = fields.time("accepted");
  job.started = fields.time("started");
  job.finished = fields.time("finished");
  return job;
}

JobRecord inbox_record(const std::string& id, const HashFields& fields) {
  check_schema(fields, "inbox entry " + id);
  JobRecord job;
  job.id = id;
  job.asked = decode_job_spec(fields.text("asked"));
  job.spec = job.asked;
  job.priority = job.asked.priority;
  job.sequence = fields.integer("sequence");
  job.waiting = fields.text("waiting");
  job.submitted = fields.time("submitted");
  return job;
}

JobRecord rejected_record(const std::string& id, const HashFields& fields) {
  JobRecord job;
  job.id = id;
  job.state = JobState::failed;
  job.asked = spec_if_readable(fields.text("asked"));
  job.spec = job.asked;
  job.priority = job.asked.priority;
  job.sequence = fields.integer("sequence");
  job.submitted = fields.time("submitted");
  job.finished = fields.time("finished");
  job.closed = true;
  job.error = {"rejected", fields.text("error"), ""};
  return job;
}

TaskRecord task_record(const HashFields& fields) {
  check_schema(fields, "task record");
  TaskRecord task;
  task.spec = decode_task_spec(fields.text("spec"));
  task.state = task_state_from(fields.text("state"));
  task.attempt = fields.integer("attempt");
  task.owner = fields.text("owner");
  task.host = fields.text("host");
  task.crashes = static_cast<int>(fields.integer("crashes"));
  task.losses = static_cast<int>(fields.integer("losses"));
  task.failures = static_cast<int>(fields.integer("failures"));
  task.preemptions = static_cast<int>(fields.integer("preemptions"));
  task.step_reached = static_cast<int>(fields.integer("step_reached"));
  task.progress = {fields.text("phase"), static_cast<int>(fields.integer("step")),
                   static_cast<int>(fields.integer("steps")), fields.real("fraction")};
  task.tail_published = !fields.text("tail_sha256").empty();
  if (task.tail_published) task.tail = decode_artifact(fields.text("tail"));
  if (const std::string artifact = fields.text("artifact"); !artifact.empty())
    task.artifact = decode_artifact(artifact);
  task.metrics = fields.text("metrics");
  task.partial = fields.flag("partial");
  task.window_limit = static_cast<int>(fields.integer("window_limit"));
  task.error_class = fields.text("error_class");
  task.error = fields.text("error");
  task.started = fields.time("started");
  task.claimed = fields.time("claimed");
  task.finished = fields.time("finished");
  task.not_before = fields.time("not_before");
  return task;
}

}  // namespace reelfarm::queue::detail
