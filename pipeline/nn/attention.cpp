#include "pipeline/nn/attention.hpp"

#include <ATen/SDPBackend.h>

namespace reelfarm::nn {
namespace {

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal) {
  const at::Tensor out = at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2),
                                                          /*attn_mask=*/{}, /*dropout_p=*/0.0, causal);
  return out.transpose(1, 2);
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return attend(q, k, v, false);
}

AttentionPart attention_part(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  // The kernels want (batch, heads, tokens, head_dim).
  const auto batched = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  const at::Tensor queries = batched(q);
  const at::Tensor keys = batched(k);
  const at::Tensor values = batched(v);
  const auto part = [](const at::Tensor& out, const at::Tensor& lse) {
    return AttentionPart{out.squeeze(0).transpose(0, 1), lse.squeeze(0).transpose(0, 1)};
  };
  if (q.is_cpu()) {
    const auto [out, lse] =
        at::_scaled_dot_product_flash_attention_for_cpu(queries, keys, values, 0.0, /*is_causal=*/false);
    return part(out, lse);
  }
  const auto choice = static_cast<at::SDPBackend>(at::_fused_sdp_choice(queries, keys, values));
  if (choice == at::SDPBackend::cudnn_attention) {
    const auto result = at::_scaled_dot_product_cudnn_attention(queries, keys, values, {},
                                                                /*compute_log_sumexp=*/true);
    // (1, heads, S_q, 1), where the others have (1, heads, S_q).
    return part(std::get<0>(result), std::get<1>(result).view({1, q.size(1), q.size(0)}));
  }
  if (choice == at::SDPBackend::flash_attention) {
    const auto result = at::_scaled_dot_product_flash_attention(queries, keys, values);
    return part(std::get<0>(result), std::get<1>(result));
  }
  const auto result = at::_scaled_dot_product_efficient_attention(queries, keys, values, {},
                                                                  /*compute_log_sumexp=*/true);
  // This kernel pads the rows of the second.
  return part(std::get<0>(result), std::get<1>(result).narrow(2, 0, q.size(0)));
}

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return attend(q, k, v, true);
}

}  // namespace reelfarm::nn
