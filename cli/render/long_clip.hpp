#pragma once

#include <functional>

#include "cli/render/options.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::render {

/// A command with everything filled in from the bundle and checked against it.
struct ClipPlan {
  windows::Grid grid;
  windows::RenderSize size;
  std::uint64_t seed = 0;
  int steps = 0;
  double guidance = 0;
};

/// Throws RequestError, OptionError or windows::InvalidRequest for what the bundle cannot do; loads no weights.
ClipPlan plan_clip(const RenderCommand& command, const weights::BundleManifest& manifest);

/// Called with the window's index beside the progress inside it.
using OnClipProgress = std::function<void(std::size_t window, const Progress& progress)>;

/// Renders the windows as a chain, each from the last frames of the one before, and writes the stitched video to
/// command.output (or the next free _v2, _v3, ...), whose path it returns. Nothing is left under that name on failure.
std::filesystem::path render_clip(const Renderer& renderer, const RenderCommand& command, const ClipPlan& plan,
                                  const OnClipProgress& on_progress);

}  // namespace reelfarm::render
