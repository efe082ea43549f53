#include "coordinator/submission/job_request.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "coordinator/errors.hpp"
#include "coordinator/near_match.hpp"
#include "coordinator/submission/parse_value.hpp"
#include "pipeline/windows/size.hpp"
#include "queue/errors.hpp"

namespace reelfarm::coordinator {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxVariants = 10'000;
constexpr std::int64_t kMaxInt = 2'147'483'647;

/// Typed access to the fields; messages begin with where the request stands.
class Reader {
 public:
  Reader(const JobFields& fields, std::string where) : fields_(fields), where_(std::move(where)) {}

  bool has(const char* key) const { return fields_.contains(key); }
  std::string text(const char* key) const { return has(key) ? fields_.at(key).back() : std::string(); }
  std::vector<std::string> texts(const char* key) const {
    return has(key) ? fields_.at(key) : std::vector<std::string>();
  }
  std::string named(const char* key) const { return where_ + key; }

  std::optional<std::int64_t> integer(const char* key, std::int64_t low, std::int64_t high) const {
    if (!has(key)) return std::nullopt;
    return parse_integer(named(key), text(key), low, high);
  }
  std::optional<int> small_integer(const char* key) const {
    const auto value = integer(key, -kMaxInt, kMaxInt);
    return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
  }
  std::optional<double> number(const char* key) const {
    if (!has(key)) return std::nullopt;
    return parse_number(named(key), text(key));
  }

 private:
  const JobFields& fields_;
  std::string where_;
};

void refuse_what_comes_later(const Reader& reader) {
  for (const char* key : {"storyboard", "lora", "hold-after"}) {
    if (reader.has(key)) throw BadInput(reader.named(key) + " is not in this version");
  }
  if (reader.has("mode") && reader.text("mode") != "chain") {
    throw BadInput(reader.named("mode") + " '" + reader.text("mode") + "' is not in this version: only chain is");
  }
}

template <typename From>
auto read_word(const Reader& reader, const char* key, const std::vector<std::string>& known, From from) {
  try {
    return from(reader.text(key));
  } catch (const queue::CodecError&) {
    std::string list;
    for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
    throw BadInput(reader.named(key) + " is '" + reader.text(key) + "': must be one of " + list +
                   did_you_mean(reader.text(key), known));
  }
}

windows::Size read_size(const std::string& text, const std::string& where) {
  try {
    return windows::parse_size(text);
  } catch (const windows::InvalidRequest& error) {
    throw BadInput(where + error.what());
  }
}

std::string absolute_output(const std::string& output) {
  if (output.empty()) return output;
  const bool folder = output.back() == '/';
  const std::string path = std::filesystem::absolute(output).lexically_normal().string();
  return folder && path.back() != '/' ? path + "/" : path;
}

std::string as_text(const json& value, const std::string& what) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  throw BadInput(what + " is " + value.dump() + ": must be text or a number");
}

/// `given` as a key of job_keys(). Throws BadInput with the nearest one.
std::string known_key(const std::string& given, const std::string& where) {
  std::string key = given;
  std::replace(key.begin(), key.end(), '_', '-');
  if (std::find(job_keys().begin(), job_keys().end(), key) == job_keys().end()) {
    throw BadInput(where + "unknown key '" + given + "'" + did_you_mean(key, job_keys()));
  }
  return key;
}

json parse_line(const std::string& line, const std::string& where) {
  try {
    return json::parse(line);
  } catch (const json::exception& error) {
    throw BadInput(where + "not JSON: " + error.what());
  }
}

/// A length in the line replaces a length given beside the file, whichever of the two words either uses.
void fill_from(const JobFields& defaults, JobFields& fields) {
  const bool has_length = fields.contains("frames") || fields.contains("seconds");
  for (const auto& [key, values] : defaults) {
    const bool is_length = key == "frames" || key == "seconds";
    if (!(is_length && has_length)) fields.try_emplace(key, values);
  }
}

/// A name for jobs that come together and have none.
std::string draw_batch() {
  return "batch-" + queue::make_job_id().substr(1);
}

}  // namespace

const std::vector<std::string>& job_keys() {
  static const std::vector<std::string> keys = {
      "prompt",  "image",      "image-fit", "seconds",    "frames",  "size",       "seed",   "variants",
      "steps",   "shift",      "guidance",  "window",     "overlap", "bundle",     "dtype",  "name",
      "project", "batch",      "tag",       "priority",   "after",   "request-id", "output", "overwrite",
      "keep",    "storyboard", "lora",      "hold-after", "mode"};
  return keys;
}

std::uint64_t draw_seed() {
  std::random_device device;
  return device();
}

JobFields fields_of_object(const json& document, const std::string& where) {
  if (!document.is_object()) throw BadInput(where + "not a JSON object: {\"prompt\": \"...\"}");
  JobFields fields;
  for (const auto& [given, value] : document.items()) {
    const std::string key = known_key(given, where);
    if (value.is_null()) continue;
    if (value.is_array() && key == "tag") {
      for (const json& tag : value) fields[key].push_back(as_text(tag, where + key));
    } else {
      fields[key] = {as_text(value, where + key)};
    }
  }
  return fields;
}

JobFields fields_of_settings(const std::vector<std::string>& settings) {
  JobFields fields;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw BadInput("--set is '" + setting + "': must be key=value, such as steps=8");
    const std::string key = known_key(setting.substr(0, equals), "--set: ");
    if (key != "tag" && fields.contains(key)) throw BadInput("--set " + key + " is given twice");
    fields[key].push_back(setting.substr(equals + 1));
  }
  return fields;
}

void apply(const JobFields& fields, const std::string& prefix, JobRequest& request) {
  const Reader reader(fields, prefix);
  refuse_what_comes_later(reader);
  queue::JobSpec& spec = request.spec;
  const auto take_text = [&](const char* key, std::string& target) {
    if (reader.has(key)) target = reader.text(key);
  };
  const auto take_integer = [&](const char* key, std::optional<int>& target) {
    if (reader.has(key)) target = reader.small_integer(key);
  };
  const auto take_number = [&](const char* key, std::optional<double>& target) {
    if (reader.has(key)) target = reader.number(key);
  };
  take_text("prompt", spec.prompt);
  take_text("image", request.image);
  if (reader.has("image") && request.image.empty()) throw BadInput(reader.named("image") + " is empty: name a file");
  if (reader.has("image-fit")) {
    spec.image_fit = read_word(reader, "image-fit", {"crop", "stretch", "pad"}, queue::image_fit_from);
  }
  if (reader.has("frames") && reader.has("seconds")) {
    throw BadInput(request.where + "both frames and seconds are given: give one of them");
  }
  if (reader.has("frames") || reader.has("seconds")) {
    spec.frames = reader.integer("frames", INT64_MIN, INT64_MAX);
    spec.seconds = reader.number("seconds");
  }
  if (reader.has("size")) {
    const windows::Size size = read_size(reader.text("size"), request.where);
    spec.width = size.width;
    spec.height = size.height;
  }
  if (reader.has("seed")) spec.seed = parse_unsigned(reader.named("seed"), reader.text("seed"));
  request.variants = reader.integer("variants", 1, kMaxVariants).value_or(request.variants);
  take_integer("steps", spec.steps);
  take_number("shift", spec.shift);
  take_number("guidance", spec.guidance);
  take_integer("window", spec.window_frames);
  take_integer("overlap", spec.overlap_frames);
  take_text("bundle", spec.bundle);
  take_text("dtype", spec.dtype);
  take_text("name", spec.name);
  take_text("project", spec.project);
  take_text("batch", spec.batch);
  if (reader.has("tag")) spec.tags = reader.texts("tag");
  if (const auto priority = reader.integer("priority", -100, 100)) spec.priority = static_cast<int>(*priority);
  take_text("after", spec.after);
  take_text("request-id", spec.request_id);
  if (reader.has("output")) spec.output = absolute_output(reader.text("output"));
  if (reader.has("overwrite")) spec.overwrite = parse_switch(reader.named("overwrite"), reader.text("overwrite"));
  if (reader.has("keep")) spec.keep = read_word(reader, "keep", {"final", "reroll", "all"}, queue::keep_from);
}

JobRequest read_request(const JobFields& fields, const std::string& where) {
  if (!fields.contains("prompt")) {
    throw BadInput(where + (where.empty() ? "--prompt is missing" : "prompt is missing"));
  }
  JobRequest request;
  request.where = where;
  request.spec.seed = fields.contains("seed") ? 0 : draw_seed();
  apply(fields, where.empty() ? "--" : where, request);
  if (request.variants > 1 && request.spec.batch.empty()) request.spec.batch = draw_batch();
  return request;
}

std::vector<JobRequest> read_request_file(const std::string& path, JobFields defaults) {
  std::ifstream file(path);
  if (!file) throw BadInput("cannot read the job file " + path);
  defaults.try_emplace("batch", std::vector<std::string>{draw_batch()});
  std::vector<JobRequest> requests;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = "line " + std::to_string(number) + " of " + path + ": ";
    JobFields fields = fields_of_object(parse_line(line, where), where);
    // One id given beside the file stands for all lines; each job needs its own.
    if (!fields.contains("request-id") && defaults.contains("request-id")) {
      fields["request-id"] = {defaults.at("request-id").back() + "." + std::to_string(number)};
    }
    fill_from(defaults, fields);
    requests.push_back(read_request(fields, where));
  }
  if (requests.empty()) throw BadInput("the job file " + path + " has no job");
  return requests;
}

}  // namespace reelfarm::coordinator
