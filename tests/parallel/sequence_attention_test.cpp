#include "parallel/sequence_attention.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "parallel/softmax_part.hpp"
#include "parallel/thread_group.hpp"

namespace reelfarm::parallel {
namespace {

/// The definition, in the type of its input.
SoftmaxPart plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor scores =
      at::matmul(q.transpose(0, 1), k.permute({1, 2, 0})) / std::sqrt(static_cast<double>(q.size(2)));
  const at::Tensor out = at::matmul(at::softmax(scores, -1), v.transpose(0, 1)).transpose(0, 1);
  return {out, at::logsumexp(scores, {-1}).transpose(0, 1).to(at::kFloat)};
}

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kDouble);
  return ((found.to(at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

at::Tensor random(std::int64_t tokens, std::int64_t heads, std::uint64_t seed) {
  // Some scores are far from the others, so that a merge without the maximum taken out would overflow.
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn({tokens, heads, 8}, generator, at::kFloat) * 6;
}

struct Case {
  MeshShape mesh;
  std::int64_t image;
  std::int64_t text;
};

void PrintTo(const Case& test, std::ostream* out) {
  *out << to_string(test.mesh) << ", " << test.image << " + " << test.text << " tokens";
}

class SequenceAttentionOf : public ::testing::TestWithParam<Case> {};

TEST_P(SequenceAttentionOf, IsAttentionOverAllTokensThatAreNoPadding) {
  const auto [shape, image, text] = GetParam();
  constexpr std::int64_t kHeads = 6;
  const at::Tensor q = random(image + text, kHeads, 1);
  const at::Tensor k = random(image + text, kHeads, 2);
  const at::Tensor v = random(image + text, kHeads, 3);
  const at::Tensor expected = plain_attention(q.to(at::kDouble), k.to(at::kDouble), v.to(at::kDouble)).out;
  const TokenParts parts = TokenParts::of(image, shape.ranks());
  std::vector<at::Tensor> results(static_cast<std::size_t>(shape.ranks()));
  const auto run = [&](ProcessGroup& group) {
    const Mesh mesh(group, shape);
    const auto own = [&](const at::Tensor& x) {
      // Padding that no result may depend on.
      at::Tensor rows = at::full({parts.per_rank + text, kHeads, 8}, 1e4);
      const std::int64_t valid = parts.valid(group.rank(), 1);
      if (valid > 0) rows.narrow(0, 0, valid).copy_(x.narrow(0, parts.begin(group.rank()), valid));
      rows.narrow(0, parts.per_rank, text).copy_(x.narrow(0, image, text));
      return rows;
    };
    const SequenceAttention attention(mesh, plain_attention);
    results[static_cast<std::size_t>(group.rank())] = attention(own(q), own(k), own(v), parts);
  };
  run_thread_ranks(shape.ranks(), run);
  for (int rank = 0; rank < shape.ranks(); ++rank) {
    const at::Tensor& found = results[static_cast<std::size_t>(rank)];
    const std::int64_t valid = parts.valid(rank, 1);
    if (valid > 0) {
      EXPECT_LE(relative_error(found.narrow(0, 0, valid), expected.narrow(0, parts.begin(rank), valid)), 1e-5);
    }
    EXPECT_TRUE((found.narrow(0, valid, parts.per_rank - valid) == 0).all().item<bool>()) << "padding";
    const at::Tensor its_text = found.narrow(0, parts.per_rank, text);
    EXPECT_LE(relative_error(its_text, expected.narrow(0, image, text)), 1e-5);
    EXPECT_TRUE(at::equal(its_text, results[0].narrow(0, parts.per_rank, text))) << "text of rank " << rank;
  }
  const std::vector<at::Tensor> before = results;
  run_thread_ranks(shape.ranks(), run);
  for (std::size_t rank = 0; rank < before.size(); ++rank) {
    EXPECT_TRUE(at::equal(results[rank], before[rank])) << "rank " << rank << " again";
  }
}

INSTANTIATE_TEST_SUITE_P(Meshes, SequenceAttentionOf,
                         ::testing::Values(Case{{1, 1}, 13, 3}, Case{{2, 1}, 13, 3}, Case{{1, 2}, 13, 3},
                                           Case{{3, 1}, 13, 1}, Case{{1, 3}, 13, 3}, Case{{2, 2}, 15, 4},
                                           Case{{1, 4}, 12, 3}, Case{{6, 1}, 31, 2}, Case{{3, 2}, 31, 2},
                                           Case{{2, 3}, 31, 2}, Case{{1, 6}, 31, 2}, Case{{2, 4}, 33, 5},
                                           Case{{1, 8}, 33, 5},
                                           // Fewer tokens than ranks: whole rows are padding.
                                           Case{{2, 4}, 3, 2}, Case{{1, 7}, 1, 1}, Case{{6, 1}, 7, 1}));

TEST(SequenceAttention, RefusesHeadsThatTheMeshDoesNotDivide) {
  run_thread_ranks(2, [](ProcessGroup& group) {
    const Mesh mesh(group, {2, 1});
    const SequenceAttention attention(mesh, plain_attention);
    const at::Tensor x = at::zeros({4, 3, 8});
    EXPECT_THROW(attention(x, x, x, TokenParts::of(6, 2)), std::invalid_argument);
    EXPECT_THROW(attention(x, x, x, TokenParts::of(8, 2)), std::invalid_argument) << "no text";
  });
}

TEST(MergeSoftmax, IsTheResultOverTheKeysOfBoth) {
  const at::Tensor q = random(5, 2, 1);
  const at::Tensor k = random(9, 2, 2);
  const at::Tensor v = random(9, 2, 3);
  const SoftmaxPart whole = plain_attention(q, k, v);
  const auto part = [&](std::int64_t begin, std::int64_t count) {
    return plain_attention(q, k.narrow(0, begin, count), v.narrow(0, begin, count));
  };
  const SoftmaxPart merged = merge(merge(part(0, 2), part(2, 6)), part(8, 1));
  EXPECT_LE(relative_error(merged.out, whole.out), 1e-6);
  EXPECT_LE(relative_error(merged.lse, whole.lse), 1e-6);
  const SoftmaxPart with_none = merge(SoftmaxPart::none(q), whole);
  EXPECT_TRUE(at::equal(with_none.out, whole.out));
  EXPECT_TRUE(at::equal(with_none.lse, whole.lse));
}

}  // namespace
}  // namespace reelfarm::parallel
