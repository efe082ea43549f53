#include "cli/job_request.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/errors.hpp"
#include "coordinator/near_match.hpp"
#include "pipeline/windows/size.hpp"
#include "queue/errors.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxVariants = 10'000;
constexpr std::int64_t kMaxInt = 2'147'483'647;

/// Options of enqueue that say something about one job.
const std::vector<std::string>& job_keys() {
  static const std::vector<std::string> keys = {
      "prompt",   "image",     "image-fit", "seconds",    "frames",   "size",       "seed",
      "variants", "steps",     "shift",     "guidance",   "window",   "overlap",    "bundle",
      "dtype",    "name",      "project",   "tag",        "priority", "after",      "request-id",
      "output",   "overwrite", "keep",      "storyboard", "lora",     "hold-after", "mode"};
  return keys;
}

/// Small enough to be typed again and to pass through every JSON reader, which may hold numbers as doubles.
std::uint64_t draw_seed() {
  std::random_device device;
  return device();
}

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
                   coordinator::did_you_mean(reader.text(key), known));
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

[[noreturn]] void refuse_key(const std::string& where, const std::string& given, const std::string& key) {
  throw BadInput(where + "unknown key '" + given + "'" + coordinator::did_you_mean(key, job_keys()));
}

JobFields read_line(const std::string& line, const std::string& where) {
  json document;
  try {
    document = json::parse(line);
  } catch (const json::exception& error) {
    throw BadInput(where + "not JSON: " + error.what());
  }
  if (!document.is_object()) throw BadInput(where + "not a JSON object: {\"prompt\": \"...\"}");
  JobFields fields;
  for (const auto& [given, value] : document.items()) {
    std::string key = given;
    std::replace(key.begin(), key.end(), '_', '-');
    if (std::find(job_keys().begin(), job_keys().end(), key) == job_keys().end()) refuse_key(where, given, key);
    if (value.is_null()) continue;
    if (value.is_array() && key == "tag") {
      for (const json& tag : value) fields[key].push_back(as_text(tag, where + key));
    } else {
      fields[key] = {as_text(value, where + key)};
    }
  }
  return fields;
}

/// A length in the line replaces a length given beside the file, whichever of the two words either uses.
void fill_from(const JobFields& defaults, JobFields& fields) {
  const bool has_length = fields.contains("frames") || fields.contains("seconds");
  for (const auto& [key, values] : defaults) {
    const bool is_length = key == "frames" || key == "seconds";
    if (!(is_length && has_length)) fields.try_emplace(key, values);
  }
}

}  // namespace

JobFields fields_of(const Arguments& arguments) {
  JobFields fields;
  for (const std::string& key : job_keys()) {
    if (arguments.has(key)) fields[key] = arguments.texts(key);
  }
  return fields;
}

JobRequest read_request(const JobFields& fields, const std::string& where) {
  const Reader reader(fields, where.empty() ? "--" : where);
  refuse_what_comes_later(reader);
  JobRequest request;
  request.where = where;
  queue::JobSpec& spec = request.spec;
  if (!reader.has("prompt")) throw BadInput(where + (where.empty() ? "--prompt is missing" : "prompt is missing"));
  spec.prompt = reader.text("prompt");
  request.image = reader.text("image");
  if (reader.has("image") && request.image.empty()) throw BadInput(reader.named("image") + " is empty: name a file");
  if (reader.has("image-fit")) {
    spec.image_fit = read_word(reader, "image-fit", {"crop", "stretch", "pad"}, queue::image_fit_from);
  }
  if (reader.has("frames") && reader.has("seconds")) {
    throw BadInput(where + "both frames and seconds are given: give one of them");
  }
  spec.frames = reader.integer("frames", INT64_MIN, INT64_MAX);
  spec.seconds = reader.number("seconds");
  if (reader.has("size")) {
    const windows::Size size = read_size(reader.text("size"), where);
    spec.width = size.width;
    spec.height = size.height;
  }
  spec.seed = reader.has("seed") ? parse_unsigned(reader.named("seed"), reader.text("seed")) : draw_seed();
  request.variants = reader.integer("variants", 1, kMaxVariants).value_or(1);
  spec.steps = reader.small_integer("steps");
  spec.shift = reader.number("shift");
  spec.guidance = reader.number("guidance");
  spec.window_frames = reader.small_integer("window");
  spec.overlap_frames = reader.small_integer("overlap");
  spec.bundle = reader.text("bundle");
  spec.dtype = reader.text("dtype");
  spec.name = reader.text("name");
  spec.project = reader.text("project");
  spec.tags = reader.texts("tag");
  spec.priority = static_cast<int>(reader.integer("priority", -100, 100).value_or(0));
  spec.after = reader.text("after");
  spec.request_id = reader.text("request-id");
  spec.output = absolute_output(reader.text("output"));
  spec.overwrite = reader.has("overwrite") && parse_switch(reader.named("overwrite"), reader.text("overwrite"));
  if (reader.has("keep")) spec.keep = read_word(reader, "keep", {"final", "reroll", "all"}, queue::keep_from);
  return request;
}

std::vector<JobRequest> read_request_file(const std::string& path, const JobFields& defaults) {
  std::ifstream file(path);
  if (!file) throw BadInput("cannot read the job file " + path);
  std::vector<JobRequest> requests;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = "line " + std::to_string(number) + " of " + path + ": ";
    JobFields fields = read_line(line, where);
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

}  // namespace reelfarm::cli
