#include "pipeline/render/memory_choice.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include "pipeline/nn/cuda_backend.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/render/request_error.hpp"
#include "pipeline/vae/errors.hpp"
#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::render {
namespace {

constexpr const char* kUsualTiles = "diffusers";
constexpr const char* kSmallTiles = "diffusers-spatial";

/// Memory that programs can take without swapping.
std::int64_t available_host_memory() {
  std::ifstream info("/proc/meminfo");
  constexpr std::int64_t kKilobyte = 1024;
  for (std::string name, unit; info >> name;) {
    std::int64_t number = 0;
    info >> number;
    std::getline(info, unit);
    if (name == "MemAvailable:") return number * kKilobyte;
  }
  return 0;
}

/// Of what the runtime itself takes the allocator knows nothing.
std::int64_t allocator_share(std::int64_t limit) {
  constexpr std::int64_t kContext = std::int64_t{1700} << 20;  // by nvidia-smi on an H100, once all kernels have run
  return std::max<std::int64_t>(limit / 2, limit - kContext);
}

}  // namespace

void require_tiles(const std::string& name) {
  try {
    vae::require_tile_plan(name);
  } catch (const vae::VaeError& error) {
    throw RequestError("--tiles: " + std::string(error.what()));
  }
}

MemoryChoice choose_memory(const weights::Bundle& bundle, const MemoryWords& words, int width, int height,
                           std::int64_t window_frames, int ranks) {
  if (words.tiles != "auto") require_tiles(words.tiles);
  const std::int64_t limit = words.max_memory.empty() ? 0 : parse_memory(words.max_memory);
  if (words.device != "cpu" && nn::cuda_device_present()) {
    nn::set_up_cuda_memory(limit > 0 ? allocator_share(limit) : 0);
  }
  const c10::Device device = nn::resolve_device(words.device);
  const nn::ResolvedPlacement resolved = nn::resolve_placement(words.dtype, device);
  const std::string tiles = words.tiles == "auto" ? kUsualTiles : words.tiles;
  MemoryChoice choice{{resolved.placement, tiles, {}, 0, 0, ""}, resolved.note};
  if (!device.is_cuda()) {
    if (limit > 0) choice.note = "--max-memory is of GPUs, and this runs on the CPU";
    return choice;
  }
  const std::int64_t all = nn::cuda_device_memory(device.index());
  if (limit > all) {
    throw RequestError("--max-memory " + words.max_memory + ": " + nn::cuda_device_name(device.index()) + " has " +
                       memory_text(all));
  }
  // Pages of the mapped files count as available, and are what is copied from.
  constexpr double kOfHost = 0.9;
  MemoryRequest request{.device_bytes = limit > 0 ? limit : all,
                        .host_bytes = static_cast<std::int64_t>(kOfHost * static_cast<double>(available_host_memory())),
                        .width = width,
                        .height = height,
                        .frames = window_frames,
                        .ranks = ranks,
                        .placements = {resolved.placement},
                        .tiles = {tiles}};
  if (words.dtype == "auto") request.placements.push_back(nn::resolve_placement("int8", device).placement);
  if (words.tiles == "auto") request.tiles.emplace_back(kSmallTiles);
  choice.plan = plan_memory(bundle, request);
  return choice;
}

}  // namespace reelfarm::render
