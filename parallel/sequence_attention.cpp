#include "parallel/sequence_attention.hpp"

#include <ATen/ATen.h>

#include <stdexcept>

namespace reelfarm::parallel {

/// What a rank works on between the two all-to-alls: the tokens of its row and the text, of its share of the heads.
struct SequenceAttention::Heads {
  at::Tensor q;        // (valid image tokens of the row, heads, D)
  at::Tensor kv;       // (2, valid image tokens of the row, heads, D)
  at::Tensor text_q;   // (text, heads, D)
  at::Tensor text_kv;  // (2, text, heads, D)

  /// Keys and values of the row's image and of the text.
  at::Tensor image_and_text() const { return at::cat({kv, text_kv}, 1); }
};

at::Tensor SequenceAttention::operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                         const TokenParts& image) const {
  const int ulysses = mesh_.shape().ulysses;
  const std::int64_t tokens = image.per_rank;
  const std::int64_t text = q.size(0) - tokens;
  if (text < 1 || q.size(1) % ulysses != 0) {
    throw std::invalid_argument("sequence attention: " + std::to_string(text) + " text tokens and " +
                                std::to_string(q.size(1)) + " heads on a mesh of " + to_string(mesh_.shape()));
  }
  const std::int64_t share = q.size(1) / ulysses;
  const std::int64_t first_head = share * mesh_.ulysses().rank();
  const int row = mesh_.ring().rank();
  const std::int64_t valid = image.valid(row * ulysses, ulysses);
  const auto text_of = [&](const at::Tensor& x) { return x.narrow(0, tokens, text).narrow(1, first_head, share); };

  const at::Tensor gathered = gather_heads(q, k, v, tokens).narrow(1, 0, valid);
  const Heads heads{gathered[0], gathered.narrow(0, 1, 2), text_of(q), at::stack({text_of(k), text_of(v)})};
  const at::Tensor out = mesh_.shape().ring == 1 ? whole_row(heads) : round_the_ring(heads, image);

  // To each rank of the row its image tokens and the whole text, of this rank's heads.
  at::Tensor back = at::empty({ulysses, tokens + text, share, q.size(2)}, q.options());
  at::Tensor row_image = at::zeros({ulysses * tokens, share, q.size(2)}, q.options());
  row_image.narrow(0, 0, valid).copy_(out.narrow(0, 0, valid));
  back.narrow(1, 0, tokens).copy_(row_image.view({ulysses, tokens, share, q.size(2)}));
  back.narrow(1, tokens, text).copy_(out.narrow(0, valid, text).unsqueeze(0));
  return mesh_.ulysses().all_to_all(back).transpose(0, 1).reshape(q.sizes());
}

/// (3, tokens of the row, this rank's heads, D): q, k and v in one exchange.
at::Tensor SequenceAttention::gather_heads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                           std::int64_t tokens) const {
  const int ulysses = mesh_.shape().ulysses;
  const std::int64_t share = q.size(1) / ulysses;
  at::Tensor packed = at::empty({ulysses, 3, tokens, share, q.size(2)}, q.options());
  const at::Tensor parts[] = {q, k, v};
  for (std::int64_t i = 0; i < 3; ++i) {
    packed.select(1, i).copy_(parts[i].narrow(0, 0, tokens).unflatten(1, {ulysses, share}).transpose(0, 1));
  }
  return mesh_.ulysses().all_to_all(packed).transpose(0, 1).reshape({3, ulysses * tokens, share, q.size(2)});
}

at::Tensor SequenceAttention::whole_row(const Heads& heads) const {
  const at::Tensor kv = heads.image_and_text();
  return attend_(at::cat({heads.q, heads.text_q}), kv[0], kv[1]).out;
}

at::Tensor SequenceAttention::round_the_ring(const Heads& heads, const TokenParts& image) const {
  ProcessGroup& ring = mesh_.ring();
  const int rows = ring.size();
  const int ulysses = mesh_.shape().ulysses;
  const int next = (ring.rank() + 1) % rows;
  const int previous = (ring.rank() - 1 + rows) % rows;
  const auto keys_of_row = [&](int row) { return image.valid(row * ulysses, ulysses); };

  const at::Tensor home = heads.image_and_text();
  at::Tensor kv = heads.kv.contiguous();
  SoftmaxPart merged;
  at::Tensor text;
  for (int hop = 0; hop < rows; ++hop) {
    const int coming_row = (ring.rank() - hop - 1 + rows) % rows;
    at::Tensor coming;
    std::unique_ptr<Transfer> transfer;
    if (hop + 1 < rows) {
      std::vector<std::int64_t> shape = kv.sizes().vec();
      shape[1] = keys_of_row(coming_row);
      coming = at::empty(shape, kv.options());
      std::vector<Send> sends;
      std::vector<Receive> receives;
      if (kv.numel() != 0) sends.push_back({kv, next});
      if (coming.numel() != 0) receives.push_back({coming, previous});
      transfer = ring.exchange(std::move(sends), std::move(receives), "ring");
    }
    if (hop == 0) {
      merged = heads.q.size(0) != 0 ? attend_(heads.q, home[0], home[1]) : SoftmaxPart::none(heads.q);
      text = text_over_all_rows(heads, home);
    } else if (heads.q.size(0) != 0 && kv.numel() != 0) {
      merged = merge(merged, attend_(heads.q, kv[0], kv[1]));
    }
    if (transfer) transfer->wait();
    kv = coming;
  }
  return at::cat({merged.out.to(heads.q.scalar_type()), text.to(heads.q.scalar_type())});
}

/// The text's queries over the row at home; the first row adds the text's own keys.
at::Tensor SequenceAttention::text_over_all_rows(const Heads& heads, const at::Tensor& home) const {
  ProcessGroup& ring = mesh_.ring();
  SoftmaxPart part = SoftmaxPart::none(heads.text_q);
  const at::Tensor& kv = ring.rank() == 0 ? home : heads.kv;
  if (kv.size(1) != 0) part = attend_(heads.text_q, kv[0], kv[1]);
  const at::Tensor packed = at::cat({part.out.to(at::kFloat), part.lse.unsqueeze(-1)}, -1);
  const at::Tensor parts = ring.all_gather(packed);
  const auto part_of = [&](std::int64_t row) {
    const at::Tensor of = parts[row];
    return SoftmaxPart{of.narrow(-1, 0, of.size(-1) - 1), of.select(-1, of.size(-1) - 1)};
  };
  SoftmaxPart merged = part_of(0);
  for (int row = 1; row < ring.size(); ++row) merged = merge(merged, part_of(row));
  return merged.out;
}

}  // namespace reelfarm::parallel
