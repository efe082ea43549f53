#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// softmax(q k^T / sqrt(head_dim)) v for every query over every key, no mask: callers drop padding before they come
/// here. q: (B, S_q, heads, head_dim), k and v: (B, S_k, heads, head_dim), one dtype -> (B, S_q, heads, head_dim).
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// What attention over some of the keys gives, to be merged with that over the others.
struct AttentionPart {
  at::Tensor out;  ///< (S_q, heads, head_dim) in the type of q
  at::Tensor lse;  ///< (S_q, heads) fp32: logarithm of the sum over the keys of exp(q k^T / sqrt(head_dim))
};

/// attention() without a batch, with the logarithm of its denominator: q (S_q, heads, head_dim), k and v
/// (S_k, heads, head_dim), neither empty. `out` has the bits of attention() on the CPU.
AttentionPart attention_part(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// The same as attention() where query i sees keys 0..i (language models). S_q = S_k.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace reelfarm::nn
