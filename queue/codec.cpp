#include "queue/codec.hpp"

#include <nlohmann/json.hpp>

#include "queue/detail/json_fields.hpp"

namespace reelfarm::queue {
namespace {

using detail::JsonFields;
using nlohmann::json;

template <typename T>
json optional_json(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json image_json(const std::optional<ImageInput>& image) {
  if (!image) return nullptr;
  return {{"sha256", image->sha256}, {"kind", image->kind}, {"name", image->name}};
}

std::optional<ImageInput> image_from(const JsonFields& fields, const std::string& document) {
  const json* object = fields.find("image");
  if (!object) return std::nullopt;
  const JsonFields image(*object, document + ".image");
  return ImageInput{image.get<std::string>("sha256"), image.get<std::string>("kind"), image.get<std::string>("name")};
}

template <typename Enum, typename From>
void read_word(const JsonFields& fields, const char* name, Enum& target, From from) {
  std::string word;
  fields.read(name, word);
  if (!word.empty()) target = from(word);
}

/// Text that is not UTF-8 is a bad document here, not a crash of the JSON library.
std::string dump(const json& document, std::string_view what) {
  try {
    return document.dump();
  } catch (const json::exception& error) {
    throw CodecError(std::string(what) + ": cannot be written as JSON: " + error.what());
  }
}

json render_json(const RenderSettings& r) {
  return {{"prompt", r.prompt}, {"image", image_json(r.image)}, {"image_fit", to_string(r.image_fit)},
          {"width", r.width},   {"height", r.height},           {"steps", r.steps},
          {"shift", r.shift},   {"guidance", r.guidance},       {"dtype", r.dtype},
          {"seed", r.seed}};
}

RenderSettings render_from(const json& object) {
  const JsonFields fields(object, "task.render");
  RenderSettings r;
  r.prompt = fields.get<std::string>("prompt");
  r.image = image_from(fields, "task.render");
  read_word(fields, "image_fit", r.image_fit, image_fit_from);
  r.width = fields.get<int>("width");
  r.height = fields.get<int>("height");
  r.steps = fields.get<int>("steps");
  r.shift = fields.get<double>("shift");
  r.guidance = fields.get<double>("guidance");
  r.dtype = fields.get<std::string>("dtype");
  r.seed = fields.get<std::uint64_t>("seed");
  return r;
}

json span_json(const WindowSpan& s) {
  return {{"first_latent", s.first_latent}, {"num_latents", s.num_latents}, {"overlap_latents", s.overlap_latents},
          {"first_frame", s.first_frame},   {"num_frames", s.num_frames},   {"keep_frames", s.keep_frames}};
}

WindowSpan span_from(const json& object) {
  const JsonFields fields(object, "task.span");
  WindowSpan s;
  s.first_latent = fields.get<int>("first_latent");
  s.num_latents = fields.get<int>("num_latents");
  s.overlap_latents = fields.get<int>("overlap_latents");
  s.first_frame = fields.get<std::int64_t>("first_frame");
  s.num_frames = fields.get<std::int64_t>("num_frames");
  s.keep_frames = fields.get<std::int64_t>("keep_frames");
  return s;
}

json stitch_json(const StitchSettings& s) {
  return {{"windows", s.windows},
          {"frames", s.frames},
          {"overlap_frames", s.overlap_frames},
          {"frame_rate", {s.frame_rate_numerator, s.frame_rate_denominator}},
          {"width", s.width},
          {"height", s.height},
          {"codec", s.codec}};
}

StitchSettings stitch_from(const json& object) {
  const JsonFields fields(object, "task.stitch");
  StitchSettings s;
  s.windows = fields.get<int>("windows");
  s.frames = fields.get<std::int64_t>("frames");
  s.overlap_frames = fields.get<int>("overlap_frames");
  const auto rate = fields.get<std::array<int, 2>>("frame_rate");
  s.frame_rate_numerator = rate[0];
  s.frame_rate_denominator = rate[1];
  s.width = fields.get<int>("width");
  s.height = fields.get<int>("height");
  s.codec = fields.get<std::string>("codec");
  return s;
}

}  // namespace

json to_json(const JobSpec& s) {
  return {{"schema", kSchema},
          {"prompt", s.prompt},
          {"image", image_json(s.image)},
          {"image_fit", to_string(s.image_fit)},
          {"frames", optional_json(s.frames)},
          {"seconds", optional_json(s.seconds)},
          {"width", optional_json(s.width)},
          {"height", optional_json(s.height)},
          {"seed", s.seed},
          {"variant_index", s.variant_index},
          {"variant_count", s.variant_count},
          {"steps", optional_json(s.steps)},
          {"shift", optional_json(s.shift)},
          {"guidance", optional_json(s.guidance)},
          {"window_frames", optional_json(s.window_frames)},
          {"overlap_frames", optional_json(s.overlap_frames)},
          {"mode", s.mode},
          {"bundle", s.bundle},
          {"bundle_hash", s.bundle_hash},
          {"dtype", s.dtype},
          {"name", s.name},
          {"project", s.project},
          {"batch", s.batch},
          {"tags", s.tags},
          {"priority", s.priority},
          {"after", s.after},
          {"request_id", s.request_id},
          {"output", s.output},
          {"overwrite", s.overwrite},
          {"keep", to_string(s.keep)},
          {"take", s.take},
          {"parent", s.parent},
          {"family", s.family},
          {"from_window", optional_json(s.from_window)}};
}

JobSpec job_spec_from_json(const json& document) {
  const JsonFields fields = JsonFields(document, "job").check_schema();
  JobSpec s;
  s.prompt = fields.get<std::string>("prompt");
  s.image = image_from(fields, "job");
  read_word(fields, "image_fit", s.image_fit, image_fit_from);
  fields.read("frames", s.frames);
  fields.read("seconds", s.seconds);
  fields.read("width", s.width);
  fields.read("height", s.height);
  s.seed = fields.get<std::uint64_t>("seed");
  fields.read("variant_index", s.variant_index);
  fields.read("variant_count", s.variant_count);
  fields.read("steps", s.steps);
  fields.read("shift", s.shift);
  fields.read("guidance", s.guidance);
  fields.read("window_frames", s.window_frames);
  fields.read("overlap_frames", s.overlap_frames);
  fields.read("mode", s.mode);
  fields.read("bundle", s.bundle);
  fields.read("bundle_hash", s.bundle_hash);
  fields.read("dtype", s.dtype);
  fields.read("name", s.name);
  fields.read("project", s.project);
  fields.read("batch", s.batch);
  fields.read("tags", s.tags);
  fields.read("priority", s.priority);
  fields.read("after", s.after);
  fields.read("request_id", s.request_id);
  fields.read("output", s.output);
  fields.read("overwrite", s.overwrite);
  read_word(fields, "keep", s.keep, keep_from);
  fields.read("take", s.take);
  fields.read("parent", s.parent);
  fields.read("family", s.family);
  fields.read("from_window", s.from_window);
  return s;
}

json to_json(const TaskSpec& s) {
  json depends = json::array();
  for (const Dependency& dependency : s.depends) {
    depends.push_back({{"task", dependency.task}, {"on", to_string(dependency.on)}});
  }
  json document = {{"schema", kSchema},
                   {"id", s.id},
                   {"job", s.job},
                   {"kind", to_string(s.kind)},
                   {"window", s.window},
                   {"depends", depends},
                   {"bundle_hash", s.bundle_hash},
                   {"artifact_key", s.artifact_key}};
  if (s.kind == TaskKind::stitch) {
    document["stitch"] = stitch_json(s.stitch);
  } else {
    document["render"] = render_json(s.render);
    if (s.kind == TaskKind::window) document["span"] = span_json(s.span);
  }
  return document;
}

TaskSpec task_spec_from_json(const json& document) {
  const JsonFields fields = JsonFields(document, "task").check_schema();
  TaskSpec s;
  s.id = fields.get<std::string>("id");
  s.job = fields.get<std::string>("job");
  s.kind = task_kind_from(fields.get<std::string>("kind"));
  s.window = fields.get<int>("window");
  for (const json& entry : fields.get<json>("depends")) {
    const JsonFields dependency(entry, "task.depends");
    s.depends.push_back({dependency.get<std::string>("task"), dependency_on_from(dependency.get<std::string>("on"))});
  }
  s.bundle_hash = fields.get<std::string>("bundle_hash");
  s.artifact_key = fields.get<std::string>("artifact_key");
  if (s.kind == TaskKind::stitch) {
    s.stitch = stitch_from(fields.get<json>("stitch"));
  } else {
    s.render = render_from(fields.get<json>("render"));
    if (s.kind == TaskKind::window) s.span = span_from(fields.get<json>("span"));
  }
  return s;
}

json to_json(const Artifact& a) {
  return {{"schema", kSchema}, {"path", a.path}, {"sha256", a.sha256}, {"bytes", a.bytes}, {"frames", a.frames}};
}

Artifact artifact_from_json(const json& document) {
  const JsonFields fields = JsonFields(document, "artifact").check_schema();
  return {fields.get<std::string>("path"), fields.get<std::string>("sha256"), fields.get<std::uint64_t>("bytes"),
          fields.get<std::int64_t>("frames")};
}

json to_json(const GroupRecord& g) {
  return {{"schema", kSchema},
          {"id", g.id},
          {"host", g.host},
          {"pid", g.pid},
          {"bundle", g.bundle},
          {"bundle_hash", g.bundle_hash},
          {"fingerprint", g.fingerprint},
          {"ranks", g.ranks},
          {"device", g.device},
          {"device_name", g.device_name},
          {"dtype", g.dtype},
          {"mesh", g.mesh},
          {"version", g.version}};
}

GroupRecord group_from_json(const json& document) {
  const JsonFields fields = JsonFields(document, "group").check_schema();
  GroupRecord g;
  g.id = fields.get<std::string>("id");
  g.host = fields.get<std::string>("host");
  g.pid = fields.get<int>("pid");
  fields.read("bundle", g.bundle);
  fields.read("bundle_hash", g.bundle_hash);
  fields.read("fingerprint", g.fingerprint);
  fields.read("ranks", g.ranks);
  fields.read("device", g.device);
  fields.read("device_name", g.device_name);
  fields.read("dtype", g.dtype);
  fields.read("mesh", g.mesh);
  fields.read("version", g.version);
  return g;
}

json to_json(const BundleLimits& b) {
  json limits = json::array();
  for (const PromptLimit& limit : b.prompt_limits) {
    limits.push_back({{"first_frame", limit.first_frame},
                      {"encoder", limit.encoder},
                      {"tokenizer", limit.tokenizer},
                      {"template", limit.template_text},
                      {"crop_start", limit.crop_start},
                      {"max_tokens", limit.max_tokens}});
  }
  return {{"schema", kSchema},
          {"name", b.name},
          {"hash", b.hash},
          {"family", b.family},
          {"default_size", {b.default_width, b.default_height}},
          {"max_size", {b.max_width, b.max_height}},
          {"size_multiple", b.size_multiple},
          {"default_frames", b.default_frames},
          {"max_frames", b.max_frames},
          {"window_frames", b.window_frames},
          {"overlap_frames", b.overlap_frames},
          {"frame_rate", {b.frame_rate_numerator, b.frame_rate_denominator}},
          {"default_steps", b.default_steps},
          {"max_steps", b.max_steps},
          {"shift", b.shift},
          {"guidance", b.guidance},
          {"uses_guidance", b.uses_guidance},
          {"distilled", b.distilled},
          {"has_t2i", b.has_t2i},
          {"needs_image", b.needs_image},
          {"single_window_only", b.single_window_only},
          {"conditions", b.conditions},
          {"max_prompt_characters", b.max_prompt_characters},
          {"prompt_limits", std::move(limits)}};
}

BundleLimits bundle_limits_from_json(const json& document) {
  using Pair = std::array<int, 2>;
  const JsonFields fields = JsonFields(document, "bundle limits").check_schema();
  BundleLimits b;
  b.name = fields.get<std::string>("name");
  b.hash = fields.get<std::string>("hash");
  fields.read("family", b.family);
  const auto size = fields.get<Pair>("default_size");
  b.default_width = size[0];
  b.default_height = size[1];
  Pair max_size{};
  fields.read("max_size", max_size);
  b.max_width = max_size[0];
  b.max_height = max_size[1];
  fields.read("size_multiple", b.size_multiple);
  fields.read("default_frames", b.default_frames);
  fields.read("max_frames", b.max_frames);
  b.window_frames = fields.get<int>("window_frames");
  b.overlap_frames = fields.get<std::vector<int>>("overlap_frames");
  const auto rate = fields.get<Pair>("frame_rate");
  b.frame_rate_numerator = rate[0];
  b.frame_rate_denominator = rate[1];
  b.default_steps = fields.get<int>("default_steps");
  fields.read("max_steps", b.max_steps);
  b.shift = fields.get<double>("shift");
  b.guidance = fields.get<double>("guidance");
  fields.read("uses_guidance", b.uses_guidance);
  fields.read("distilled", b.distilled);
  fields.read("has_t2i", b.has_t2i);
  fields.read("needs_image", b.needs_image);
  fields.read("single_window_only", b.single_window_only);
  fields.read("conditions", b.conditions);
  fields.read("max_prompt_characters", b.max_prompt_characters);
  if (const json* limits = fields.find("prompt_limits")) {
    if (!limits->is_array()) throw CodecError("bundle limits: prompt_limits is no list");
    for (const json& entry : *limits) {
      const JsonFields limit(entry, "bundle limits.prompt_limits");
      b.prompt_limits.push_back({limit.get<bool>("first_frame"), limit.get<std::string>("encoder"),
                                 limit.get<std::string>("tokenizer"), limit.get<std::string>("template"),
                                 limit.get<int>("crop_start"), limit.get<int>("max_tokens")});
    }
  }
  return b;
}

std::string encode(const JobSpec& spec) {
  return dump(to_json(spec), "job");
}
std::string encode(const TaskSpec& spec) {
  return dump(to_json(spec), "task");
}
std::string encode(const Artifact& artifact) {
  return dump(to_json(artifact), "artifact");
}
std::string encode(const GroupRecord& group) {
  return dump(to_json(group), "group");
}
std::string encode(const BundleLimits& limits) {
  return dump(to_json(limits), "bundle limits");
}
JobSpec decode_job_spec(std::string_view text) {
  return job_spec_from_json(detail::parse_document(text, "job"));
}
TaskSpec decode_task_spec(std::string_view text) {
  return task_spec_from_json(detail::parse_document(text, "task"));
}
Artifact decode_artifact(std::string_view text) {
  return artifact_from_json(detail::parse_document(text, "artifact"));
}
GroupRecord decode_group(std::string_view text) {
  return group_from_json(detail::parse_document(text, "group"));
}
BundleLimits decode_bundle_limits(std::string_view text) {
  return bundle_limits_from_json(detail::parse_document(text, "bundle limits"));
}

}  // namespace reelfarm::queue
