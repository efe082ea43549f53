#include "pipeline/render/memory_plan.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "pipeline/render/memory_needs.hpp"
#include "pipeline/render/request_error.hpp"

namespace reelfarm::render {
namespace {

/// What neither weights nor activations take: the context with the libraries' kernels, and what the allocator cannot
/// use between two tensors.
constexpr std::int64_t kRuntime = std::int64_t{2} << 30;

/// The device bytes of a plan.
std::int64_t device_bytes(const MemoryNeeds& needs, const Residency& residency) {
  const std::int64_t weights = needs.vae + needs.exchange + needs.video.on_device(residency.video_blocks) +
                               needs.image.on_device(residency.image_blocks) +
                               needs.encoders.on_device(residency.encoders ? nn::kAllLayers : 0);
  const std::int64_t window = std::max(needs.denoise, needs.encode);
  const std::int64_t work = residency.decode_beside ? window + needs.decode : std::max(window, needs.decode);
  return kRuntime + weights + work;
}

std::int64_t host_bytes(const MemoryNeeds& needs, const Residency& residency) {
  return needs.video.on_host(residency.video_blocks) + needs.image.on_host(residency.image_blocks) +
         needs.encoders.on_host(residency.encoders ? nn::kAllLayers : 0);
}

/// The most blocks that fit, if it fits with none.
std::optional<Residency> with_blocks(const MemoryNeeds& needs, Residency residency, std::int64_t limit) {
  for (std::int64_t blocks = std::ssize(needs.video.layers); blocks >= 0; --blocks) {
    residency.video_blocks = blocks;
    if (device_bytes(needs, residency) <= limit) return residency;
  }
  return std::nullopt;
}

std::optional<Residency> choose(const MemoryNeeds& needs, std::int64_t limit) {
  constexpr std::int64_t kNone = 0;
  const Residency all;
  if (device_bytes(needs, all) <= limit) return all;
  Residency modulation_out = all;
  modulation_out.video_blocks = std::ssize(needs.video.layers);
  modulation_out.image_blocks = std::ssize(needs.image.layers);
  if (device_bytes(needs, modulation_out) <= limit) return modulation_out;
  Residency streamed = modulation_out;
  streamed.encoders = false;
  if (device_bytes(needs, streamed) <= limit) return streamed;
  streamed.image_blocks = kNone;
  if (const auto beside = with_blocks(needs, streamed, limit)) return beside;
  streamed.decode_beside = false;
  return with_blocks(needs, streamed, limit);
}

Residency smallest() {
  return {.video_blocks = 0, .image_blocks = 0, .encoders = false, .decode_beside = false};
}

std::string describe(const MemoryPlan& plan, const MemoryNeeds& needs, std::int64_t limit) {
  const auto blocks = std::ssize(needs.video.layers);
  const std::int64_t resident = std::min<std::int64_t>(blocks, plan.residency.video_blocks);
  std::string text = "memory: " + memory_text(plan.device_bytes) + " expected of " + memory_text(limit) + "; " +
                     std::string(nn::dtype_name(plan.placement)) + ", ";
  text += resident == blocks
              ? "all " + std::to_string(blocks) + " blocks on the GPU"
              : std::to_string(resident) + " of " + std::to_string(blocks) + " blocks on the GPU, the others streamed";
  if (plan.residency.video_blocks != nn::kAllLayers) text += ", modulation streamed";
  text += plan.residency.encoders ? ", text encoders too" : ", text encoders streamed";
  text +=
      plan.residency.decode_beside ? "; windows are decoded beside others" : "; windows are decoded after denoising";
  text += ", tiles " + plan.tiles;
  if (plan.host_bytes > 0) text += "; " + memory_text(plan.host_bytes) + " pinned in host memory";
  return text;
}

}  // namespace

MemoryPlan plan_memory(const weights::Bundle& bundle, const MemoryRequest& request) {
  std::int64_t least_device = std::numeric_limits<std::int64_t>::max();
  std::int64_t least_host = least_device;
  for (const nn::Placement& placement : request.placements) {
    for (const std::string& tiles : request.tiles) {
      const MemoryNeeds needs = memory_needs(bundle, request, placement, tiles);
      least_device = std::min(least_device, device_bytes(needs, smallest()));
      const std::optional<Residency> residency = choose(needs, request.device_bytes);
      if (!residency) continue;
      MemoryPlan plan{placement, tiles, *residency, device_bytes(needs, *residency), host_bytes(needs, *residency), ""};
      least_host = std::min(least_host, plan.host_bytes);
      if (plan.host_bytes > request.host_bytes) continue;
      plan.text = describe(plan, needs, request.device_bytes);
      return plan;
    }
  }
  const std::string what = std::to_string(request.frames) + " frames of " + std::to_string(request.width) + "x" +
                           std::to_string(request.height) + " with the bundle '" + bundle.manifest().name + "'";
  if (least_device > request.device_bytes) {
    throw RequestError(what + " need " + memory_text(least_device) + " on the GPU at the least, and " +
                       memory_text(request.device_bytes) +
                       " may be used: give more by --max-memory, fewer pixels or frames, or --dtype int8, w8a8 or fp8");
  }
  throw RequestError(what + " would need " + memory_text(least_host) + " of host memory for streamed weights, and " +
                     memory_text(request.host_bytes) + " are available: give more by --max-memory, or --dtype int8");
}

std::int64_t parse_memory(std::string_view text) {
  const auto refuse = [&] {
    return RequestError("--max-memory '" + std::string(text) + "': expected a size such as 16G or 24.5G");
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number > 0) || !std::isfinite(number)) throw refuse();
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::string_view kUnits = "KMGT";
  double factor = 1;
  if (!unit.empty()) {
    const std::size_t power = kUnits.find(unit.front());
    unit.remove_prefix(1);
    if (power == std::string_view::npos || !(unit.empty() || unit == "B" || unit == "iB")) throw refuse();
    factor = std::pow(1024.0, static_cast<double>(power + 1));
  }
  constexpr double kMost = 0x1p60;
  if (number * factor < 1 || number * factor > kMost) throw refuse();
  return static_cast<std::int64_t>(number * factor);
}

std::string memory_text(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / 0x1p30);
  return text;
}

}  // namespace reelfarm::render
