#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nn/placement.hpp"
#include "pipeline/render/residency.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// What a plan has to fit: the bundle's own size and window unless a caller knows better.
struct MemoryRequest {
  std::int64_t device_bytes = 0;  ///< of one GPU: --max-memory, or all it has
  std::int64_t host_bytes = 0;    ///< that weights may take in host memory beside it
  int width = 0;                  ///< rendered pixels
  int height = 0;
  std::int64_t frames = 0;  ///< of a window
  int ranks = 1;            ///< that share a window's tokens
  /// In order of preference; all but the first are taken only where the ones before do not fit.
  std::vector<nn::Placement> placements;
  std::vector<std::string> tiles;  ///< tile plans, likewise
};

/// How a bundle is rendered within a GPU's memory.
struct MemoryPlan {
  nn::Placement placement;
  std::string tiles;
  Residency residency;
  std::int64_t device_bytes = 0;  ///< expected at the most
  std::int64_t host_bytes = 0;    ///< of streamed weights, pinned
  std::string text;               ///< one line for people
};

/// The first that fits of: everything on the GPU and windows decoded beside others; modulation, which is run once a
/// prompt, streamed; text encoders streamed; blocks
/// streamed, as few as needed; decode after denoising; each with the placements and tiles in their order. Sizes of
/// weights come from the bundle, those of activations from measurements (bench/RESULTS.md). Throws RequestError that
/// names the smallest plan's bytes when none fits.
MemoryPlan plan_memory(const weights::Bundle& bundle, const MemoryRequest& request);

/// "16G", "16GiB", "512M", "1.5T" (powers of 1024; a plain number is bytes) -> bytes. Throws RequestError.
std::int64_t parse_memory(std::string_view text);

/// "15.3 GiB".
std::string memory_text(std::int64_t bytes);

}  // namespace reelfarm::render
