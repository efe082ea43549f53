#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// softmax(q k^T / sqrt(head_dim)) v for every query over every key, no mask: callers drop padding before they come
/// here. q: (B, S_q, heads, head_dim), k and v: (B, S_k, heads, head_dim), one dtype -> (B, S_q, heads, head_dim).
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// The same where query i sees keys 0..i (language models). S_q = S_k.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace reelfarm::nn
