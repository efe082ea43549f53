#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant {

/// softmax(q k^T / sqrt(head_dim)) v in e4m3. q: (S_q, heads, head_dim), k and v: (S_k, heads, head_dim), dense, one
/// type -> (S_q, heads * head_dim) in e4m3 whose scales are all the same.
///
/// q, k and v have one scale each. Before that the mean over the tokens is taken off k, per head and channel, which
/// changes nothing but the rounding: a softmax does not see what all its keys have in common (arXiv 2410.02367 section
/// 4.2). The output is a mean of values, and has their scale. On a GPU with a cuDNN that has such a kernel it is one;
/// anywhere else the arithmetic is that of the type of q, on what the 8 bits stand for.
Rows attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// Whether attention() would be one kernel of the GPU for this shape, or runs on the CPU: false on a GPU that would
/// have to imitate it. Builds the kernel's plan at the first call with a shape.
bool attention_fits(const at::Tensor& q, const at::Tensor& k);

}  // namespace reelfarm::quant
