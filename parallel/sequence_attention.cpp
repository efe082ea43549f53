#include "parallel/sequence_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace reelfarm::parallel {
namespace {

/// LibTorch copies strided tensors element by element: in 16 bytes at a time where the layouts allow it, a GPU moves
/// 16-bit elements several times as fast.
void copy_wide(const at::Tensor& to, const at::Tensor& from) {
  constexpr std::int64_t kWide = 16;
  const auto fits = [](const at::Tensor& x) {
    const auto bytes = static_cast<std::int64_t>(x.element_size());
    const bool strides = std::ranges::all_of(x.strides().slice(0, static_cast<std::size_t>(x.dim() - 1)),
                                             [&](std::int64_t stride) { return stride * bytes % kWide == 0; });
    return strides && x.stride(-1) == 1 && x.size(-1) * bytes % kWide == 0 && x.storage_offset() * bytes % kWide == 0;
  };
  if (fits(to) && fits(from)) {
    to.view(at::kComplexDouble).copy_(from.view(at::kComplexDouble));
  } else {
    to.copy_(from);
  }
}

}  // namespace

/// What a rank works on between the two all-to-alls: the image tokens of its row, then the text, of some of its heads.
struct SequenceAttention::Heads {
  at::Tensor qkv;          // (3, image + text, heads, D)
  std::int64_t image = 0;  // tokens of the row that are not padding

  at::Tensor image_of(std::int64_t part) const { return qkv[part].narrow(0, 0, image); }
  at::Tensor text_q() const { return qkv[0].narrow(0, image, qkv.size(1) - image); }
};

struct SequenceAttention::Call::State {
  using Parts = std::array<at::Tensor, 3>;

  /// Some of a rank's heads, and what of them is on its way.
  struct Half {
    std::int64_t first;
    std::int64_t count;
    Heads heads = {};
    at::Tensor got = {};  // (rank, own + text, count, D): what attention gave on other ranks
    std::unique_ptr<Transfer> transfer = {};
  };

  const SequenceAttention& attention;
  TokenParts image;
  int ranks;           // of the row
  int rank;            // of them
  int first;           // rank of the whole mesh that begins the row
  std::int64_t text;   // tokens, on each rank the same
  std::int64_t share;  // heads of each rank
  at::Tensor result;   // (per_rank + text, heads, D)
  std::vector<Half> halves = {};

  std::int64_t valid(int peer) const { return image.valid(first + peer, 1); }
  std::int64_t own() const { return valid(rank); }
  std::int64_t row() const { return image.valid(first, ranks); }
  /// x: (..., heads, D) -> (..., rank, heads of the half, D).
  at::Tensor by_rank(const at::Tensor& x, const Half& half) const {
    return x.unflatten(-2, {ranks, share}).narrow(-2, half.first, half.count);
  }

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

  void to_heads(const Parts& given, Half& half) const;
  void attend(Half& half) const;
  void to_tokens(const at::Tensor& out, Half& half) const;
  void take(Half& half) const;
};

SequenceAttention::Call::Call(std::unique_ptr<State> state) : state_(std::move(state)) {}
SequenceAttention::Call::Call(Call&&) noexcept = default;
SequenceAttention::Call::~Call() = default;

SequenceAttention::Call SequenceAttention::begin(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                 const TokenParts& image) const {
  const int ulysses = mesh_.shape().ulysses;
  const std::int64_t text = q.size(0) - image.per_rank;
  if (text < 1 || q.size(1) % ulysses != 0) {
    throw std::invalid_argument("sequence attention: " + std::to_string(text) + " text tokens and " +
                                std::to_string(q.size(1)) + " heads on a mesh of " + to_string(mesh_.shape()));
  }
  auto state = std::make_unique<Call::State>(Call::State{.attention = *this,
                                                         .image = image,
                                                         .ranks = ulysses,
                                                         .rank = mesh_.ulysses().rank(),
                                                         .first = mesh_.ring().rank() * ulysses,
                                                         .text = text,
                                                         .share = q.size(1) / ulysses,
                                                         .result = at::empty(q.sizes(), q.options())});
  const bool halved = mesh_.shape().ring == 1 && ulysses > 1 && state->share > 1;
  const std::int64_t front = halved ? state->share / 2 : state->share;
  for (std::int64_t head = 0; head < state->share; head += front) {
    state->halves.push_back({head, std::min(front, state->share - head)});
  }
  for (Call::State::Half& half : state->halves) state->to_heads({q, k, v}, half);
  return Call(std::move(state));
}

at::Tensor SequenceAttention::Call::finish() {
  for (State::Half& half : state_->halves) state_->attend(half);
  for (State::Half& half : state_->halves) state_->take(half);
  return std::move(state_->result);
}

/// q, k and v in one exchange. What comes from others is received where attention reads it.
void SequenceAttention::Call::State::to_heads(const Parts& given, Half& half) const {
  const at::Tensor& q = given[0];
  half.heads = {at::empty({3, row() + text, half.count, q.size(2)}, q.options()), row()};
  const at::Tensor packed = at::empty({ranks, 3, own(), half.count, q.size(2)}, q.options());
  for (std::int64_t part = 0; part < 3; ++part) {
    const at::Tensor whole = by_rank(given[static_cast<std::size_t>(part)], half);
    const at::Tensor image_part = whole.narrow(0, 0, own());
    const at::Tensor to_part = packed.select(1, part).transpose(0, 1);
    for_others(
        [&](int from, int count) { copy_wide(to_part.narrow(1, from, count), image_part.narrow(1, from, count)); });
    const at::Tensor target = half.heads.qkv[part];
    copy_wide(target.narrow(0, image.per_rank * rank, own()), image_part.select(1, rank));
    copy_wide(target.narrow(0, row(), text), whole.narrow(0, image.per_rank, text).select(1, rank));
  }
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for_each_peer([&](int peer) {
    for (std::int64_t part = 0; part < 3; ++part) {
      if (own() > 0) sends.push_back({packed[peer][part], peer});
      if (valid(peer) > 0) {
        receives.push_back({half.heads.qkv[part].narrow(0, image.per_rank * peer, valid(peer)), peer});
      }
    }
  });
  half.transfer = attention.mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all");
}

void SequenceAttention::Call::State::attend(Half& half) const {
  half.transfer->wait();
  const Heads heads = std::exchange(half.heads, {});
  const at::Tensor out = attention.mesh_.shape().ring == 1
                             ? attention.attend_(heads.qkv[0], heads.qkv[1], heads.qkv[2]).out
                             : attention.round_the_ring(heads, image);
  to_tokens(out.contiguous(), half);
}

/// out: (image + text, heads of the half, D). To each rank of the row go its image tokens and the whole text.
void SequenceAttention::Call::State::to_tokens(const at::Tensor& out, Half& half) const {
  const at::Tensor text_out = out.narrow(0, row(), text);
  half.got = at::empty({ranks, own() + text, half.count, out.size(2)}, out.options());
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for_each_peer([&](int peer) {
    if (valid(peer) > 0) sends.push_back({out.narrow(0, image.per_rank * peer, valid(peer)), peer});
    sends.push_back({text_out, peer});
    if (own() > 0) receives.push_back({half.got[peer].narrow(0, 0, own()), peer});
    receives.push_back({half.got[peer].narrow(0, own(), text), peer});
  });
  half.transfer = attention.mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all");
  const at::Tensor to_own = by_rank(result, half).select(1, rank);
  copy_wide(to_own.narrow(0, 0, own()), out.narrow(0, image.per_rank * rank, own()));
  to_own.narrow(0, own(), image.per_rank - own()).zero_();
  copy_wide(to_own.narrow(0, image.per_rank, text), text_out);
}

void SequenceAttention::Call::State::take(Half& half) const {
  half.transfer->wait();
  const at::Tensor to_part = by_rank(result, half);
  for_others([&](int from, int count) {
    const at::Tensor gotten = half.got.narrow(0, from, count).transpose(0, 1);
    const at::Tensor to_others = to_part.narrow(1, from, count);
    copy_wide(to_others.narrow(0, 0, own()), gotten.narrow(0, 0, own()));
    to_others.narrow(0, own(), image.per_rank - own()).zero_();
    copy_wide(to_others.narrow(0, image.per_rank, text), gotten.narrow(0, own(), text));
  });
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
