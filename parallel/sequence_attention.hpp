#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "parallel/mesh.hpp"
#include "parallel/softmax_part.hpp"

namespace reelfarm::parallel {

/// Attention of queries over one block of keys: q (S_q, heads, D), k and v (S_k, heads, D), S_q and S_k at least 1.
using BlockAttention = std::function<SoftmaxPart(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;

/// Attention over image tokens that are spread over the ranks of a mesh, and text tokens that every rank holds.
///
/// One all-to-all per call brings the image's q, k and v of a row to the ranks of that row by heads; of the text each
/// rank takes its heads. Key blocks of the rows travel round the ring, the next one while the current one is computed
/// with; what they give is merged in an order that depends on the rank only. Text queries meet each block once, where
/// it is at home, and the rows' results are merged in the order of rows, so that all ranks get the same bits. One
/// all-to-all brings image tokens and text back. Sources: arXiv 2309.14509 (Ulysses), arXiv 2310.01889 (ring).
class SequenceAttention {
 public:
  SequenceAttention(const Mesh& mesh, BlockAttention attend) : mesh_(mesh), attend_(std::move(attend)) {}

  /// Collective over the mesh. q, k, v: (per_rank + text, heads, D), this rank's image tokens first, then all of the
  /// text, of which there is at least one -> the same shape. Padding tokens are no keys, and zero in the result.
  at::Tensor operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const TokenParts& image) const;

 private:
  struct Heads;
  struct Cut;

  Heads to_heads(const std::array<at::Tensor, 3>& given, const Cut& cut) const;
  at::Tensor to_tokens(const at::Tensor& out, const at::Tensor& like, const Cut& cut) const;
  at::Tensor round_the_ring(const Heads& heads, const TokenParts& image) const;
  at::Tensor text_over_all_rows(const Heads& heads) const;

  const Mesh& mesh_;
  BlockAttention attend_;
};

}  // namespace reelfarm::parallel
