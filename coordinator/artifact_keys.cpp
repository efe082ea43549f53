#include "coordinator/artifact_keys.hpp"

#include <nlohmann/json.hpp>

#include "pipeline/artifacts/sha256.hpp"

namespace reelfarm::coordinator {
namespace {

using nlohmann::json;

// Raised when the meaning of a key changes, so that an artifact of an older program is never taken for a new one.
constexpr int kKeyVersion = 1;

json render_fields(const queue::TaskSpec& task) {
  const queue::RenderSettings& render = task.render;
  json fields = {{"version", kKeyVersion},  {"kind", to_string(task.kind)}, {"bundle", task.bundle_hash},
                 {"prompt", render.prompt}, {"width", render.width},        {"height", render.height},
                 {"steps", render.steps},   {"shift", render.shift},        {"guidance", render.guidance},
                 {"dtype", render.dtype},   {"seed", render.seed}};
  if (render.image) {
    fields["image"] = render.image->sha256;
    fields["image_fit"] = to_string(render.image_fit);
  }
  return fields;
}

// nlohmann's objects are sorted by key, so the text is canonical.
std::string hash(const json& fields) {
  return artifacts::sha256_of(fields.dump());
}

}  // namespace

std::string image_key(const queue::TaskSpec& task) {
  return hash(render_fields(task));
}

std::string window_key(const queue::TaskSpec& task, const std::string& mode, const std::string& before) {
  json fields = render_fields(task);
  fields["mode"] = mode;
  fields["before"] = before;
  fields["num_latents"] = task.span.num_latents;
  fields["overlap_latents"] = task.span.overlap_latents;
  // In a chain the noise is keyed by the window's own frames, so its place in the video does not matter.
  if (mode != "chain") fields["first_latent"] = task.span.first_latent;
  return hash(fields);
}

std::string stitch_key(const queue::TaskSpec& task, const std::string& last_window) {
  const queue::StitchSettings& stitch = task.stitch;
  return hash({{"version", kKeyVersion},
               {"kind", to_string(task.kind)},
               {"last_window", last_window},
               {"windows", stitch.windows},
               {"frames", stitch.frames},
               {"overlap_frames", stitch.overlap_frames},
               {"frame_rate", {stitch.frame_rate_numerator, stitch.frame_rate_denominator}},
               {"width", stitch.width},
               {"height", stitch.height},
               {"codec", stitch.codec}});
}

}  // namespace reelfarm::coordinator
