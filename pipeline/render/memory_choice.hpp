#pragma once

#include <cstdint>
#include <string>

#include "pipeline/render/memory_plan.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// The words of the command line that decide where weights lie and in what they are computed with.
struct MemoryWords {
  std::string device = "auto";
  std::string dtype = "auto";
  std::string tiles = "auto";  ///< `diffusers`, or what needs less where that does not fit
  std::string max_memory;      ///< of a GPU; empty: all it has
};

/// Throws RequestError that lists the known tile plans for a name that is not among them.
void require_tiles(const std::string& name);

struct MemoryChoice {
  MemoryPlan plan;   ///< on the CPU all weights are where they are mapped, and its text is empty
  std::string note;  ///< what of the words cannot be had; else empty
};

/// Resolves the device, loading LibTorch's CUDA part where it is a GPU, and plans its memory. With --max-memory
/// LibTorch's allocator is kept to it, which is only possible before that part is loaded. What is chosen depends on the
/// words, the bundle and the size of the GPU's memory, not on what others use of it. width, height: rendered pixels.
/// Throws RequestError, std::invalid_argument for a word, and std::runtime_error when a GPU cannot be had.
MemoryChoice choose_memory(const weights::Bundle& bundle, const MemoryWords& words, int width, int height,
                           std::int64_t window_frames, int ranks);

}  // namespace reelfarm::render
