#include "cli/bundle/report.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "cli/bundle/quantization_report.hpp"
#include "cli/bundle/text.hpp"

namespace reelfarm::bundle {
namespace {

using nlohmann::json;
using weights::Bundle;
using weights::BundleManifest;

// Of the text form in queue/codec.hpp.
constexpr int kLimitsSchema = 1;
constexpr int kSizeMultiple = 16;

/// As queue::PromptLimit: what each encoder reads of a prompt.
json prompt_limits(const BundleManifest& manifest) {
  json limits = json::array();
  const auto add = [&limits](bool first_frame, const auto& settings) {
    limits.push_back({{"first_frame", first_frame},
                      {"encoder", settings.encoder},
                      {"tokenizer", settings.tokenizer},
                      {"template", settings.template_text},
                      {"crop_start", settings.crop_start},
                      {"max_tokens", settings.max_length}});
  };
  if (manifest.t2i) add(true, manifest.t2i->prompt);
  if (manifest.prompt) add(false, *manifest.prompt);
  if (manifest.image_prompt) add(false, *manifest.image_prompt);
  return limits;
}

std::string settings(const BundleManifest& manifest) {
  std::vector<std::string> overlaps;
  for (const int frames : manifest.overlap_frames) overlaps.push_back(std::to_string(frames));
  std::string text = printed("defaults    %d steps, shift %g, ", manifest.sampling.steps, manifest.sampling.shift);
  text += manifest.uses_guidance ? printed("guidance %g", manifest.sampling.guidance) : "no guidance";
  text += printed(", %dx%d, %s frames a second%s\n", manifest.width, manifest.height,
                  windows::to_string(manifest.frame_rate).c_str(), manifest.distilled ? ", distilled" : "");
  text += printed("windows     %d frames", manifest.window_frames);
  text += manifest.single_window_only() ? ", one only\n" : ", sharing " + joined(overlaps, "") + "\n";
  text += "conditions  " + joined(manifest.conditions, "none: text only") + "\n";
  text += std::string("first frame ") +
          (manifest.t2i             ? "from text, or an image"
           : manifest.needs_image() ? "needs an image"
                                    : "from text") +
          "\n";
  return text;
}

std::string part_row(const Bundle& bundle, const std::string& part) {
  const auto source = bundle.tensors(part);
  std::uint64_t parameters = 0;
  std::set<std::string_view> types;
  for (const std::string& name : source->names()) {
    const weights::TensorInfo& tensor = source->at(name);
    parameters += tensor.element_count();
    types.insert(weights::name_of(tensor.dtype));
  }
  const auto kind = bundle.classes().find(part);
  return printed("%-16s %-32s %9s %-12s %9s %5zu\n", part.c_str(),
                 kind == bundle.classes().end() ? "-" : kind->second.c_str(),
                 scaled(static_cast<double>(parameters), "").c_str(), joined({types.begin(), types.end()}, "-").c_str(),
                 scaled(static_cast<double>(source->total_bytes()), "B").c_str(), source->files().size());
}

}  // namespace

json limits_json(const BundleManifest& manifest, const std::string& hash) {
  return {{"schema", kLimitsSchema},
          {"name", manifest.name},
          {"hash", hash},
          {"family", weights::name_of(manifest.family)},
          {"default_size", {manifest.width, manifest.height}},
          {"max_size", {manifest.bounds.max_width, manifest.bounds.max_height}},
          {"size_multiple", kSizeMultiple},
          {"default_frames", manifest.default_frames},
          {"max_frames", manifest.bounds.max_frames},
          {"window_frames", manifest.window_frames},
          {"overlap_frames", manifest.overlap_frames},
          {"frame_rate", {manifest.frame_rate.numerator, manifest.frame_rate.denominator}},
          {"default_steps", manifest.sampling.steps},
          {"max_steps", manifest.bounds.max_steps},
          {"shift", manifest.sampling.shift},
          {"guidance", manifest.sampling.guidance},
          {"uses_guidance", manifest.uses_guidance},
          {"distilled", manifest.distilled},
          {"has_t2i", manifest.t2i.has_value()},
          {"needs_image", manifest.needs_image()},
          {"single_window_only", manifest.single_window_only()},
          {"conditions", manifest.conditions},
          {"max_prompt_characters", manifest.bounds.max_prompt_characters},
          {"prompt_limits", prompt_limits(manifest)}};
}

std::string description(const Bundle& bundle, const std::string& hash) {
  const BundleManifest& manifest = bundle.manifest();
  std::string text = "name        " + manifest.name + "\nfamily      " +
                     std::string(weights::name_of(manifest.family)) + "\nhash        " + hash + "\n" +
                     settings(manifest) + "\n";
  text += printed("%-16s %-32s %9s %-12s %9s %5s\n", "part", "class", "numbers", "types", "size", "files");
  for (const std::string& part : bundle.weighted_components()) text += part_row(bundle, part);
  std::vector<std::string> others = bundle.components();
  std::erase_if(others, [&](const std::string& part) {
    const auto weighted = bundle.weighted_components();
    return std::find(weighted.begin(), weighted.end(), part) != weighted.end();
  });
  text += "also        " + joined(others, "nothing") + "\n";
  if (const auto quantization = weights::quantization_of(bundle.path())) text += description(*quantization);
  for (const std::string& part : bundle.missing_parts()) text += "missing     " + part + "\n";
  return text;
}

json verification_json(const weights::Verification& verification) {
  return {{"ok", verification.problems.empty()},
          {"tensors", verification.tensors},
          {"bytes", verification.bytes},
          {"problems", verification.problems}};
}

}  // namespace reelfarm::bundle
