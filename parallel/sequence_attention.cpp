#include "parallel/sequence_attention.hpp"

#include <ATen/ATen.h>

#include <stdexcept>
#include <utility>
#include <vector>

namespace reelfarm::parallel {

/// What a rank works on between the two all-to-alls: the image tokens of its row, then the text, of its share of the
/// heads.
struct SequenceAttention::Heads {
  at::Tensor qkv;          // (3, image + text, heads, D)
  std::int64_t image = 0;  // tokens of the row that are not padding

  at::Tensor image_of(std::int64_t part) const { return qkv[part].narrow(0, 0, image); }
  at::Tensor text_q() const { return qkv[0].narrow(0, image, qkv.size(1) - image); }
};

/// Where the tokens and heads of one call lie.
struct SequenceAttention::Cut {
  int ranks;            // of the row
  int rank;             // of them
  int first;            // rank of the whole mesh that begins the row
  std::int64_t tokens;  // of the image on each rank, with padding
  std::int64_t text;    // tokens, on each rank the same
  std::int64_t share;   // heads of each rank
  const TokenParts& image;

  std::int64_t valid(int peer) const { return image.valid(first + peer, 1); }
  std::int64_t valid_of_row() const { return image.valid(first, ranks); }
  /// x: (..., heads, D) -> (..., rank, share, D).
  at::Tensor by_rank(const at::Tensor& x) const { return x.unflatten(-2, {ranks, share}); }

  /// act(first, count) for the ranks before this one, and for those behind it.
  template <typename Act>
  void for_others(const Act& act) const {
    if (rank > 0) act(0, rank);
    if (rank + 1 < ranks) act(rank + 1, ranks - rank - 1);
  }
  /// act(peer), beginning with the next one: no rank is the first of all.
  template <typename Act>
  void for_each_peer(const Act& act) const {
    for (int distance = 1; distance < ranks; ++distance) act((rank + distance) % ranks);
  }
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
  const Cut cut{ulysses, mesh_.ulysses().rank(), mesh_.ring().rank() * ulysses, tokens, text, q.size(1) / ulysses,
                image};
  const Heads heads = to_heads({q, k, v}, cut);
  const at::Tensor out =
      mesh_.shape().ring == 1 ? attend_(heads.qkv[0], heads.qkv[1], heads.qkv[2]).out : round_the_ring(heads, image);
  return to_tokens(out.contiguous(), q, cut);
}

/// q, k and v in one exchange. What comes from others is received where attention reads it.
SequenceAttention::Heads SequenceAttention::to_heads(const std::array<at::Tensor, 3>& given, const Cut& cut) const {
  const std::int64_t own = cut.valid(cut.rank);
  const std::int64_t row = cut.valid_of_row();
  const at::Tensor& q = given[0];
  const Heads heads{at::empty({3, row + cut.text, cut.share, q.size(2)}, q.options()), row};
  const at::Tensor packed = at::empty({cut.ranks, 3, own, cut.share, q.size(2)}, q.options());
  for (std::int64_t part = 0; part < 3; ++part) {
    const at::Tensor whole = cut.by_rank(given[static_cast<std::size_t>(part)]);
    const at::Tensor image = whole.narrow(0, 0, own);
    const at::Tensor to_part = packed.select(1, part).transpose(0, 1);
    cut.for_others([&](int first, int count) { to_part.narrow(1, first, count).copy_(image.narrow(1, first, count)); });
    const at::Tensor target = heads.qkv[part];
    target.narrow(0, cut.tokens * cut.rank, own).copy_(image.select(1, cut.rank));
    target.narrow(0, row, cut.text).copy_(whole.narrow(0, cut.tokens, cut.text).select(1, cut.rank));
  }
  std::vector<Send> sends;
  std::vector<Receive> receives;
  cut.for_each_peer([&](int peer) {
    for (std::int64_t part = 0; part < 3; ++part) {
      if (own > 0) sends.push_back({packed[peer][part], peer});
      if (cut.valid(peer) > 0) {
        receives.push_back({heads.qkv[part].narrow(0, cut.tokens * peer, cut.valid(peer)), peer});
      }
    }
  });
  mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all")->wait();
  return heads;
}

/// out: (image + text, heads of this rank, D) -> the shape of `like`: to each rank of the row go its image tokens and
/// the whole text, of this rank's heads.
at::Tensor SequenceAttention::to_tokens(const at::Tensor& out, const at::Tensor& like, const Cut& cut) const {
  const std::int64_t own = cut.valid(cut.rank);
  const std::int64_t row = cut.valid_of_row();
  const at::Tensor text = out.narrow(0, row, cut.text);
  const at::Tensor got = at::empty({cut.ranks, own + cut.text, cut.share, out.size(2)}, out.options());
  std::vector<Send> sends;
  std::vector<Receive> receives;
  cut.for_each_peer([&](int peer) {
    if (cut.valid(peer) > 0) sends.push_back({out.narrow(0, cut.tokens * peer, cut.valid(peer)), peer});
    sends.push_back({text, peer});
    if (own > 0) receives.push_back({got[peer].narrow(0, 0, own), peer});
    receives.push_back({got[peer].narrow(0, own, cut.text), peer});
  });
  const auto transfer = mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all");
  at::Tensor result = at::empty(like.sizes(), out.options());
  if (own < cut.tokens) result.narrow(0, own, cut.tokens - own).zero_();
  const at::Tensor image_part = cut.by_rank(result.narrow(0, 0, own));
  const at::Tensor text_part = cut.by_rank(result.narrow(0, cut.tokens, cut.text));
  image_part.select(1, cut.rank).copy_(out.narrow(0, cut.tokens * cut.rank, own));
  text_part.select(1, cut.rank).copy_(text);
  transfer->wait();
  cut.for_others([&](int first, int count) {
    const at::Tensor from = got.narrow(0, first, count).transpose(0, 1);
    image_part.narrow(1, first, count).copy_(from.narrow(0, 0, own));
    text_part.narrow(1, first, count).copy_(from.narrow(0, own, cut.text));
  });
  return result;
}

at::Tensor SequenceAttention::round_the_ring(const Heads& heads, const TokenParts& image) const {
  ProcessGroup& ring = mesh_.ring();
  const int rows = ring.size();
  const int ulysses = mesh_.shape().ulysses;
  const int next = (ring.rank() + 1) % rows;
  const int previous = (ring.rank() - 1 + rows) % rows;

  const at::Tensor q = heads.image_of(0);
  at::Tensor k = heads.image_of(1);
  at::Tensor v = heads.image_of(2);
  SoftmaxPart merged;
  at::Tensor text;
  for (int hop = 0; hop < rows; ++hop) {
    const int coming_row = (ring.rank() - hop - 1 + rows) % rows;
    at::Tensor coming;
    std::unique_ptr<Transfer> transfer;
    if (hop + 1 < rows) {
      coming = at::empty({2, image.valid(coming_row * ulysses, ulysses), q.size(1), q.size(2)}, q.options());
      std::vector<Send> sends;
      std::vector<Receive> receives;
      if (k.numel() != 0) sends = {{k, next}, {v, next}};
      if (coming.numel() != 0) receives = {{coming[0], previous}, {coming[1], previous}};
      transfer = ring.exchange(std::move(sends), std::move(receives), "ring");
    }
    if (hop == 0) {
      merged = q.size(0) != 0 ? attend_(q, heads.qkv[1], heads.qkv[2]) : SoftmaxPart::none(q);
      text = text_over_all_rows(heads);
    } else if (q.size(0) != 0 && k.numel() != 0) {
      merged = merge(merged, attend_(q, k, v));
    }
    if (transfer) {
      transfer->wait();
      k = coming[0];
      v = coming[1];
    }
  }
  return at::cat({merged.out.to(q.scalar_type()), text.to(q.scalar_type())});
}

/// The text's queries over the row at home; the first row adds the text's own keys.
at::Tensor SequenceAttention::text_over_all_rows(const Heads& heads) const {
  ProcessGroup& ring = mesh_.ring();
  const at::Tensor queries = heads.text_q();
  SoftmaxPart part = SoftmaxPart::none(queries);
  if (ring.rank() == 0) {
    part = attend_(queries, heads.qkv[1], heads.qkv[2]);
  } else if (heads.image != 0) {
    part = attend_(queries, heads.image_of(1), heads.image_of(2));
  }
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
