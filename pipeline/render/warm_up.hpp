#pragma once

#include "pipeline/render/progress.hpp"
#include "pipeline/render/renderer.hpp"

namespace reelfarm::render {

/// The smallest window of the bundle's usual size of which every rank of `renderer` decodes a whole tile, in one step.
WindowRequest warm_up_window(const Renderer& renderer);

/// Renders warm_up_window() and throws it away. What a GPU does only once, loading kernels and taking memory, is then
/// behind it before a task comes, and a GPU that cannot compute is found before it has one. With Followers, as every
/// window. Throws what denoise() and decode() throw.
void warm_up(const Renderer& renderer, const OnProgress& on_progress = {});

}  // namespace reelfarm::render
