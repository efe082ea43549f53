#include "pipeline/dit/workspace.hpp"

namespace reelfarm::dit {

Workspace::Workspace(const DitConfig& config, std::int64_t tokens, const at::TensorOptions& options)
    : q(at::empty({tokens, config.width()}, options)),
      k(at::empty({tokens, config.width()}, options)),
      v(at::empty({tokens, config.width()}, options)),
      hidden(at::empty({tokens, config.width() + config.mlp_width()}, options)),
      num_heads(config.num_heads),
      mlp_width(config.mlp_width()) {}

at::Tensor Workspace::heads(const at::Tensor& x) const {
  return x.unflatten(-1, {num_heads, -1});
}

at::Tensor Workspace::mlp(std::int64_t rows) const {
  return hidden.view({-1}).narrow(0, 0, rows * mlp_width).view({rows, mlp_width});
}

at::Tensor Workspace::mlp_to_join(bool in_hidden) const {
  if (!in_hidden) return mlp(hidden.size(0));
  return hidden.narrow(1, hidden.size(1) - mlp_width, mlp_width);
}

}  // namespace reelfarm::dit
