#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/mesh.hpp"
#include "parallel/softmax_part.hpp"

namespace reelfarm::parallel {

/// Attention of queries over one block of keys: q (S_q, heads, D), k and v (S_k, heads, D), S_q and S_k at least 1. On
/// a mesh without a ring every block is whole, and the part's `lse` is not looked at.
using BlockAttention = std::function<SoftmaxPart(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;

/// Attention over image tokens that are spread over the ranks of a mesh, and text tokens that every rank holds.
///
/// One all-to-all per call brings the image's q, k and v of a row to the ranks of that row by heads; of the text each
/// rank takes its heads. Key blocks of the rows travel round the ring, the next one while the current one is computed
/// with; what they give is merged in an order that depends on the rank only. Text queries meet each block once, where
/// it is at home, and the rows' results are merged in the order of rows, so that all ranks get the same bits. One
/// all-to-all brings image tokens and text back. Sources: arXiv 2309.14509 (Ulysses), arXiv 2310.01889 (ring).
///
/// Without a ring both exchanges go in portions of a rank's heads, so that one travels while another is computed with.
/// Heads do not see each other: the bits are those of one exchange.
class SequenceAttention {
 public:
  SequenceAttention(const Mesh& mesh, BlockAttention attend) : mesh_(mesh), attend_(std::move(attend)) {}

  /// A call whose q, k and v are on their way. What the caller does before attend() runs beside them, what it does
  /// between attend() and finish() beside the way of the results.
  class Call {
   public:
    Call(Call&&) noexcept;
    ~Call();
    /// Collective, at most once.
    void attend();
    /// Collective, once. The result as of operator().
    at::Tensor finish();

   private:
    friend class SequenceAttention;
    struct State;
    explicit Call(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  /// Collective over the mesh. q, k, v: (per_rank + text, heads, D), this rank's image tokens first, then all of the
  /// text, of which there is at least one; they must not be written to before finish(), but for text, which is not
  /// looked at before the call's next step. The attention must outlive the call.
  Call begin(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const TokenParts& image) const;

  /// begin() and finish(): the shape of q, valid until the next begin() on this mesh. Padding tokens are no keys, and
  /// zero in the result.
  at::Tensor operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const TokenParts& image) const {
    return begin(q, k, v, image).finish();
  }

 private:
  struct Heads;

  std::vector<std::int64_t> portions(std::int64_t heads, c10::Device device) const;

  at::Tensor round_the_ring(const Heads& heads, const TokenParts& image) const;
  at::Tensor text_over_all_rows(const Heads& heads) const;

  const Mesh& mesh_;
  BlockAttention attend_;
};

}  // namespace reelfarm::parallel
