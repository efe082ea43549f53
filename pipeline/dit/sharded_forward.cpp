#include "pipeline/dit/sharded_forward.hpp"

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace reelfarm::dit {

ShardedForward::ShardedForward(const Transformer& transformer, parallel::ProcessGroup& group,
                               const parallel::Mesh& mesh, std::int64_t frames, std::int64_t height, std::int64_t width)
    : transformer_(transformer),
      group_(group),
      mesh_(mesh),
      parts_(parallel::TokenParts::of(token_grid(transformer.config(), frames, height, width).count(), group.size())),
      layout_(transformer.layout(frames, height, width, {parts_.begin(group.rank()), parts_.per_rank})),
      attention_(mesh, parts_, transformer.quantised_attention()) {}

at::Tensor ShardedForward::operator()(const at::Tensor& latents, const Prepared& prepared, int step,
                                      const BlockCallback& on_block) const {
  const DitConfig& config = transformer_.config();
  const TokenGrid& grid = layout_.grid;
  const std::vector<std::int64_t> expected = latents_of_grid(config, grid);
  if (latents.sizes() != at::IntArrayRef(expected)) {
    std::ostringstream message;
    message << "dit: input has shape " << latents.sizes() << ", laid out were " << at::IntArrayRef(expected);
    throw std::invalid_argument(message.str());
  }
  const at::Tensor all = patchify(config, latents.to(transformer_.device(), transformer_.dtype()));
  const std::string place = "forward of step " + std::to_string(step);
  group_.set_step(place);
  mesh_.set_step(place);
  at::Tensor own = at::zeros({parts_.per_rank, all.size(1)}, all.options());
  const std::int64_t valid = parts_.valid(group_.rank(), 1);
  if (valid > 0) own.narrow(0, 0, valid).copy_(all.narrow(0, parts_.begin(group_.rank()), valid));
  const at::Tensor velocity = transformer_.forward_tokens(own, layout_, prepared, step, attention_, on_block);
  const at::Tensor tokens = group_.all_gather(velocity).flatten(0, 1).narrow(0, 0, parts_.total);
  return unpatchify(config, tokens, grid);
}

Prepared broadcast_prepared(parallel::ProcessGroup& group, int root, const Prepared& prepared,
                            const Transformer& transformer) {
  const c10::Device device = transformer.device();
  const bool mine = group.rank() == root;
  const at::Tensor times =
      group.broadcast_tensor(mine ? at::tensor(prepared.timesteps) : at::Tensor(), root, c10::kCPU);
  const float* begin = times.const_data_ptr<float>();
  Prepared result{.timesteps = {begin, begin + times.numel()}, .text = {}, .modulation = {}};
  result.text = group.broadcast_tensor(prepared.text, root, device);
  result.modulation =
      ModulationTable(group.broadcast_tensor(prepared.modulation.tensor(), root, device), transformer.config());
  return result;
}

}  // namespace reelfarm::dit
