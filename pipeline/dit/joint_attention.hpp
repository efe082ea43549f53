#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::dit {

/// Attention over image and text tokens together: the one place where tokens of different ranks meet.
///
/// The transformer keeps both kinds in one buffer, image first, so that the local form needs no concatenation; a
/// sequence-parallel form takes narrow(1, 0, image_tokens) as its shard of the image and the rest as the whole text.
class JointAttention {
 public:
  virtual ~JointAttention() = default;

  /// q, k, v: (1, image_tokens + text_tokens, heads, head_dim), normed and rotated -> the same shape. Collective in
  /// implementations that span ranks; there image_tokens is the rank's padded shard.
  virtual at::Tensor operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                std::int64_t image_tokens) const = 0;
};

/// All tokens are here: one attention over the buffer.
class LocalJointAttention final : public JointAttention {
 public:
  at::Tensor operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        std::int64_t image_tokens) const override;
};

}  // namespace reelfarm::dit
