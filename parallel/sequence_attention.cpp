#include "parallel/sequence_attention.hpp"

#include <ATen/ATen.h>

#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "parallel/copy_wide.hpp"

namespace reelfarm::parallel {

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
  struct Portion {
    std::int64_t first;
    std::int64_t count;
    Heads heads = {};
    std::unique_ptr<Transfer> transfer = {};
  };

  const SequenceAttention& attention;
  TokenParts image;
  Parts given;         // this rank's q, k and v
  int ranks;           // of the row
  int rank;            // of them
  int first;           // rank of the whole mesh that begins the row
  std::int64_t text;   // tokens, on each rank the same
  std::int64_t share;  // heads of each rank
  at::Tensor result;   // (per_rank + text, heads, D)
  std::vector<Portion> portions = {};
  bool attended = false;

  std::int64_t valid(int peer) const { return image.valid(first + peer, 1); }
  std::int64_t own() const { return valid(rank); }
  std::int64_t row() const { return image.valid(first, ranks); }
  /// x: (..., heads, D) -> (..., rank, heads of the portion, D).
  at::Tensor by_rank(const at::Tensor& x, const Portion& portion) const {
    return x.unflatten(-2, {ranks, share}).narrow(-2, portion.first, portion.count);
  }

  /// Of this rank's q, k or v the heads that it attends to itself: (per_rank + text, heads of the portion, D).
  at::Tensor ours(std::int64_t part, const Portion& portion) const {
    return by_rank(given[static_cast<std::size_t>(part)], portion).select(1, rank);
  }

  /// act(peer), beginning with the next one: no rank is the first of all.
  template <typename Act>
  void for_each_peer(const Act& act) const {
    for (int distance = 1; distance < ranks; ++distance) act((rank + distance) % ranks);
  }

  void take_memory(const at::Tensor& q);
  void to_heads(Portion& portion) const;
  void attend(Portion& portion) const;
  void to_tokens(const at::Tensor& out, Portion& portion) const;
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
                                                         .given = {q, k, v},
                                                         .ranks = ulysses,
                                                         .rank = mesh_.ulysses().rank(),
                                                         .first = mesh_.ring().rank() * ulysses,
                                                         .text = text,
                                                         .share = q.size(1) / ulysses,
                                                         .result = {}});
  std::int64_t head = 0;
  for (const std::int64_t count : portions(state->share, q.device())) {
    state->portions.push_back({head, count});
    head += count;
  }
  state->take_memory(q);
  for (Call::State::Portion& portion : state->portions) state->to_heads(portion);
  return Call(std::move(state));
}

/// How many heads go together. Nothing hides the way of the first to the ranks that attend to them, nor that of the
/// last's results, so these are few where an exchange needs nothing of the device; where kernels of NCCL wait for those
/// that compute, two exchanges cost less than three.
std::vector<std::int64_t> SequenceAttention::portions(std::int64_t heads, c10::Device device) const {
  if (mesh_.shape().ring > 1 || mesh_.shape().ulysses == 1 || heads == 1) return {heads};
  const std::int64_t few = heads / 4;
  if (mesh_.ulysses().writes_peers(device) && heads % 4 == 0) return {few, heads - 2 * few, few};
  return {heads / 2, heads - heads / 2};
}

void SequenceAttention::Call::attend() {
  for (State::Portion& portion : state_->portions) state_->attend(portion);
  state_->attended = true;
}

at::Tensor SequenceAttention::Call::finish() {
  if (!state_->attended) attend();
  for (State::Portion& portion : state_->portions) portion.transfer->wait();
  return std::move(state_->result);
}

/// What other ranks write: the result, and each portion's q, k and v.
void SequenceAttention::Call::State::take_memory(const at::Tensor& q) {
  const std::int64_t tokens = row() + text;
  std::vector<std::int64_t> counts = {q.numel()};
  for (const Portion& portion : portions) counts.push_back(3 * tokens * portion.count * q.size(2));
  const std::vector<at::Tensor> memory = attention.mesh_.ulysses().symmetric_empty(counts, q.options());
  result = memory[0].view(q.sizes());
  result.narrow(0, own(), image.per_rank - own()).zero_();
  for (std::size_t i = 0; i < portions.size(); ++i) {
    portions[i].heads = {memory[i + 1].view({3, tokens, portions[i].count, q.size(2)}), row()};
  }
}

/// The image's q, k and v in one exchange, straight to where attention reads them.
void SequenceAttention::Call::State::to_heads(Portion& portion) const {
  const auto rows_of = [&](std::int64_t part, int peer) {
    return portion.heads.qkv[part].narrow(0, image.per_rank * peer, valid(peer));
  };
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for_each_peer([&](int peer) {
    for (std::int64_t part = 0; part < 3; ++part) {
      const at::Tensor theirs = by_rank(given[static_cast<std::size_t>(part)], portion).select(1, peer);
      if (own() > 0) sends.push_back({theirs.narrow(0, 0, own()), peer, rows_of(part, rank)});
      if (valid(peer) > 0) receives.push_back({rows_of(part, peer), peer});
    }
  });
  portion.transfer = attention.mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all");
  for (std::int64_t part = 0; part < 3 && own() > 0; ++part) {
    copy_wide(rows_of(part, rank), ours(part, portion).narrow(0, 0, own()));
  }
}

void SequenceAttention::Call::State::attend(Portion& portion) const {
  for (std::int64_t part = 0; part < 3; ++part) {
    copy_wide(portion.heads.qkv[part].narrow(0, row(), text), ours(part, portion).narrow(0, image.per_rank, text));
  }
  portion.transfer->wait();
  const Heads heads = std::exchange(portion.heads, {});
  const at::Tensor out = attention.mesh_.shape().ring == 1
                             ? attention.attend_(heads.qkv[0], heads.qkv[1], heads.qkv[2]).out
                             : attention.round_the_ring(heads, image);
  to_tokens(out.contiguous(), portion);
}

/// out: (image + text, heads of the portion, D). To each rank of the row go its image tokens and the whole text.
void SequenceAttention::Call::State::to_tokens(const at::Tensor& out, Portion& portion) const {
  const at::Tensor text_out = out.narrow(0, row(), text);
  const at::Tensor to_part = by_rank(result, portion);
  const auto image_of = [&](int from, std::int64_t count) { return to_part.select(1, from).narrow(0, 0, count); };
  const auto text_of = [&](int from) { return to_part.select(1, from).narrow(0, image.per_rank, text); };
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for_each_peer([&](int peer) {
    if (valid(peer) > 0) {
      sends.push_back({out.narrow(0, image.per_rank * peer, valid(peer)), peer, image_of(rank, valid(peer))});
    }
    sends.push_back({text_out, peer, text_of(rank)});
    if (own() > 0) receives.push_back({image_of(peer, own()), peer});
    receives.push_back({text_of(peer), peer});
  });
  portion.transfer = attention.mesh_.ulysses().exchange(std::move(sends), std::move(receives), "all_to_all");
  if (own() > 0) copy_wide(image_of(rank, own()), out.narrow(0, image.per_rank * rank, own()));
  copy_wide(text_of(rank), text_out);
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
