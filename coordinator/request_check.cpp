#include "coordinator/request_check.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "coordinator/near_match.hpp"
#include "coordinator/output_template.hpp"
#include "coordinator/text_check.hpp"
#include "pipeline/windows/frame_rate.hpp"
#include "pipeline/windows/grid.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr std::size_t kMaxPromptCharacters = 10'000;  // where the bundle names no limit of its own
constexpr std::size_t kMaxNameCharacters = 120;       // names become file names, which have at most 255 bytes
constexpr std::size_t kMaxTags = 32;
constexpr int kMaxPriority = 100;
constexpr int kMaxSteps = 1000;  // of a flow-match schedule: sigmas are thousandths
constexpr double kMaxShift = 1000;
constexpr double kMaxGuidance = 100;

constexpr std::size_t kMaxWindows = 5000;  // a transition touches all tasks of a job and must not hold up the others

const std::vector<std::string> kDtypes = {"auto", "fp32", "bf16", "fp8", "int8", "w8a8"};

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_number(const char* name, double value, double low, double high, const char* rule) {
  // Written so that a NaN fails too.
  if (!(value >= low && value <= high)) {
    throw Rejected(std::string(name) + " is " + std::to_string(value) + ": must be " + rule);
  }
}

void check_image(const queue::JobSpec& spec) {
  if (!spec.image) return;
  const std::string& sha256 = spec.image->sha256;
  if (sha256.size() != 64 || sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw Rejected("the image is named by " + quoted(sha256) + ", which is not a SHA-256 in lower-case hexadecimal");
  }
}

std::int64_t frames_of(const queue::JobSpec& asked, const queue::BundleLimits& limits) {
  std::int64_t frames = limits.default_frames > 0 ? limits.default_frames : limits.window_frames;
  if (asked.frames) frames = *asked.frames;
  if (asked.seconds) {
    frames = windows::frames_for_seconds(*asked.seconds, {limits.frame_rate_numerator, limits.frame_rate_denominator});
  }
  if (limits.max_frames > 0 && frames > limits.max_frames) {
    throw Rejected("frames is " + std::to_string(frames) + ": bundle " + limits.name + " makes at most " +
                   std::to_string(limits.max_frames));
  }
  return frames;
}

void check_size(const windows::Size& size, const queue::BundleLimits& limits) {
  windows::check_size(size);
  if ((limits.max_width > 0 && size.width > limits.max_width) ||
      (limits.max_height > 0 && size.height > limits.max_height)) {
    throw Rejected("size " + windows::to_string(size) + ": bundle " + limits.name + " makes at most " +
                   windows::to_string(windows::Size{limits.max_width, limits.max_height}));
  }
}

void check_overlap(int overlap, const queue::BundleLimits& limits) {
  if (std::find(limits.overlap_frames.begin(), limits.overlap_frames.end(), overlap) != limits.overlap_frames.end()) {
    return;
  }
  std::vector<std::string> allowed;
  for (const int frames : limits.overlap_frames) allowed.push_back(std::to_string(frames));
  throw Rejected("overlap is " + std::to_string(overlap) + " frames: bundle " + limits.name + " was made for " +
                 joined(allowed));
}

void check_abilities(const queue::JobSpec& spec, const queue::BundleLimits& limits, const windows::Grid& grid) {
  const bool knows_first =
      std::find(limits.conditions.begin(), limits.conditions.end(), "first") != limits.conditions.end();
  if (limits.needs_image && !limits.has_t2i && !spec.image) {
    throw Rejected("bundle " + limits.name +
                   " makes video from an image and cannot make the image itself: give --image");
  }
  if (spec.image && !limits.needs_image && !knows_first) {
    throw Rejected("bundle " + limits.name + " makes video from text only and cannot start from an image: leave out " +
                   "--image or choose an image-to-video bundle");
  }
  if (limits.single_window_only && grid.windows.size() > 1) {
    throw Rejected("bundle " + limits.name + " makes video from text only, so it renders one window and cannot go on " +
                   "from it: " + std::to_string(grid.frames) + " frames need " + std::to_string(grid.windows.size()) +
                   " windows; ask for at most " + std::to_string(windows::frames_of_latents(grid.window_latents)) +
                   " frames");
  }
}

std::vector<std::string> warnings_for(const queue::JobSpec& asked, const queue::JobSpec& spec,
                                      const queue::BundleLimits& limits) {
  std::vector<std::string> warnings;
  if (!limits.distilled && limits.default_steps > 0 && *spec.steps * 2 < limits.default_steps) {
    warnings.push_back("steps is " + std::to_string(*spec.steps) + ", but bundle " + limits.name +
                       " is not distilled for few steps and wants " + std::to_string(limits.default_steps) +
                       ": expect a poor picture");
  }
  if (*spec.window_frames > limits.window_frames) {
    warnings.push_back("window is " + std::to_string(*spec.window_frames) + " frames, but bundle " + limits.name +
                       " was made for " + std::to_string(limits.window_frames) +
                       ": it may not fit into memory and may look worse");
  }
  if (asked.guidance && !limits.uses_guidance) {
    warnings.push_back("guidance is ignored: bundle " + limits.name + " has no guidance embedding");
  }
  return warnings;
}

}  // namespace

void check_request(const queue::JobSpec& spec) try {
  check_text("the prompt", spec.prompt, kMaxPromptCharacters, true);
  if (is_blank(spec.prompt)) throw Rejected("the prompt is empty: say what the video shows");
  check_text("the name", spec.name, kMaxNameCharacters, false);
  check_text("the project", spec.project, kMaxNameCharacters, false);
  check_text("the batch", spec.batch, kMaxNameCharacters, false);
  check_text("the bundle name", spec.bundle, kMaxNameCharacters, false);
  check_text("the request id", spec.request_id, kMaxNameCharacters, false);
  if (spec.tags.size() > kMaxTags) {
    throw Rejected(std::to_string(spec.tags.size()) + " tags: at most " + std::to_string(kMaxTags) + " are taken");
  }
  for (const std::string& tag : spec.tags) check_text("a tag", tag, kMaxNameCharacters, false);
  check_image(spec);
  if (spec.frames && spec.seconds) throw Rejected("both frames and seconds are given: give one of them");
  if (spec.frames && (*spec.frames < 1 || *spec.frames > windows::kMaxFrames)) {
    throw Rejected("frames is " + std::to_string(*spec.frames) + ": must be from 1 to " +
                   std::to_string(windows::kMaxFrames));
  }
  if (spec.seconds) check_number("seconds", *spec.seconds, 0.001, 1e6, "a number from 0.001 to 1000000");
  if (spec.width.has_value() != spec.height.has_value()) throw Rejected("the size has only one of width and height");
  if (spec.width) windows::check_size({*spec.width, *spec.height});
  if (spec.steps) check_number("steps", *spec.steps, 1, kMaxSteps, "a whole number from 1 to 1000");
  if (spec.shift) check_number("shift", *spec.shift, 0.001, kMaxShift, "above 0 and at most 1000");
  if (spec.guidance) check_number("guidance", *spec.guidance, 0, kMaxGuidance, "from 0 to 100");
  if (spec.mode != "chain") throw Rejected("mode " + quoted(spec.mode) + " is not in this version: use chain");
  if (!spec.dtype.empty() && std::find(kDtypes.begin(), kDtypes.end(), spec.dtype) == kDtypes.end()) {
    throw Rejected("dtype " + quoted(spec.dtype) + " is unknown" + did_you_mean(spec.dtype, kDtypes) +
                   " (known: " + joined(kDtypes) + ")");
  }
  if (std::abs(spec.priority) > kMaxPriority) {
    throw Rejected("priority is " + std::to_string(spec.priority) + ": must be from -100 to 100");
  }
  if (!spec.after.empty() && !queue::is_job_id(spec.after)) {
    throw Rejected("after is " + quoted(spec.after) + ", which is not a job id");
  }
  if (!spec.parent.empty() && !queue::is_job_id(spec.parent)) {
    throw Rejected("parent is " + quoted(spec.parent) + ", which is not a job id");
  }
  if (spec.from_window && (spec.parent.empty() || *spec.from_window < 0)) {
    throw Rejected("from_window is " + std::to_string(*spec.from_window) +
                   ": it names a window, from 0 on, of the job that parent names");
  }
  if (spec.take < 1) throw Rejected("take is " + std::to_string(spec.take) + ": takes count from 1");
  if (!spec.output.empty()) check_output_template(spec.output);
} catch (const windows::InvalidRequest& error) {
  throw Rejected(error.what());
}

const queue::BundleLimits& choose_bundle(const queue::JobSpec& spec, const KnownBundles& bundles) {
  if (bundles.registered.empty()) {
    throw NoBundleYet("no worker group has registered a bundle yet: start one (reelfarm up, reelfarm-worker)");
  }
  const auto live = [&](const queue::BundleLimits& limits) { return bundles.live.contains(limits.hash); };
  // A bundle that a group holds now comes before one that was only seen some time ago, whatever its name says.
  std::vector<const queue::BundleLimits*> candidates;
  for (const bool want_live : {true, false}) {
    for (const auto& limits : bundles.registered) {
      if (live(limits) == want_live && (spec.bundle.empty() || limits.name == spec.bundle)) {
        candidates.push_back(&limits);
      }
    }
    if (want_live && !candidates.empty()) break;
  }
  std::set<std::string> names;
  for (const auto& limits : bundles.registered) names.insert(limits.name);
  const std::vector<std::string> all(names.begin(), names.end());
  if (candidates.empty()) {
    throw Rejected("bundle " + quoted(spec.bundle) + " is unknown to this farm" + did_you_mean(spec.bundle, all) +
                   " (known: " + joined(all) + ")");
  }
  for (const auto* candidate : candidates) {
    if (candidate->name != candidates.front()->name) {
      throw Rejected("the farm has several bundles: choose one with --bundle (known: " + joined(all) + ")");
    }
  }
  return *candidates.front();
}

std::optional<std::string> lacking_group(const queue::JobSpec& spec, const queue::BundleLimits& limits,
                                         const KnownBundles& bundles) {
  const auto live = bundles.live.find(limits.hash);
  if (live == bundles.live.end()) {
    return "no worker group has bundle " + limits.name + " loaded now: the job waits for one (reelfarm up, " +
           "reelfarm-worker)";
  }
  const std::string dtype = spec.required_dtype();
  if (dtype.empty() || live->second.contains(dtype)) return std::nullopt;
  return "no worker group calculates in " + dtype +
         " now (there: " + joined({live->second.begin(), live->second.end()}) +
         "): the job waits for one, started with --dtype " + dtype;
}

CompletedJob complete(const queue::JobSpec& asked, const queue::BundleLimits& limits) try {
  check_request(asked);
  if (limits.max_prompt_characters > 0) {
    check_text("the prompt", asked.prompt, static_cast<std::size_t>(limits.max_prompt_characters), true);
  }
  queue::JobSpec spec = asked;
  spec.bundle = limits.name;
  spec.bundle_hash = limits.hash;
  spec.frames = frames_of(asked, limits);
  spec.seconds.reset();
  spec.width = asked.width.value_or(limits.default_width);
  spec.height = asked.height.value_or(limits.default_height);
  check_size({*spec.width, *spec.height}, limits);
  spec.steps = asked.steps.value_or(limits.default_steps);
  if (limits.max_steps > 0 && *spec.steps > limits.max_steps) {
    throw Rejected("steps is " + std::to_string(*spec.steps) + ": bundle " + limits.name + " takes at most " +
                   std::to_string(limits.max_steps));
  }
  spec.shift = asked.shift.value_or(limits.shift);
  spec.guidance = asked.guidance.value_or(limits.guidance);
  spec.window_frames = asked.window_frames.value_or(limits.window_frames);
  spec.overlap_frames = asked.overlap_frames.value_or(limits.overlap_frames.at(0));
  if (spec.dtype.empty()) spec.dtype = "auto";
  const windows::Grid grid = windows::plan({*spec.frames, *spec.window_frames, *spec.overlap_frames});
  if (grid.windows.size() > kMaxWindows) {
    throw Rejected("the job needs " + std::to_string(grid.windows.size()) + " windows: at most " +
                   std::to_string(kMaxWindows) + " are planned for one job; split it, or use longer windows");
  }
  if (grid.windows.size() > 1) check_overlap(*spec.overlap_frames, limits);
  check_abilities(spec, limits, grid);
  return {spec, warnings_for(asked, spec, limits)};
} catch (const windows::InvalidRequest& error) {
  throw Rejected(error.what());
}

}  // namespace reelfarm::coordinator
