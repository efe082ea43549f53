#include "parallel/mesh.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <stdexcept>

#include "parallel/thread_group.hpp"

namespace reelfarm::parallel {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ChooseMesh, GivesTheHeadsAsManyRanksAsDivideThemAndStayOnOneMachine) {
  for (int ranks = 1; ranks <= 16; ++ranks) {
    for (const std::int64_t heads : {1, 2, 4, 6, 16, 24}) {
      for (int near = 1; near <= ranks; ++near) {
        const MeshShape chosen = choose_mesh(ranks, heads, near);
        EXPECT_EQ(chosen.ranks(), ranks);
        int best = 0;
        for (int ulysses = 1; ulysses <= ranks; ++ulysses) {
          if (ranks % ulysses == 0 && heads % ulysses == 0 && near % ulysses == 0) best = ulysses;
        }
        EXPECT_EQ(chosen.ulysses, best) << ranks << " ranks, " << heads << " heads, " << near << " of a machine";
        EXPECT_EQ(parse_mesh(to_string(chosen), ranks, heads), chosen);
      }
    }
  }
  EXPECT_EQ(to_string(choose_mesh(16, 24, 8)), "8x2");
  EXPECT_EQ(to_string(choose_mesh(7, 24, 7)), "1x7");
}

TEST(ParseMesh, RefusesWithTheMeshesThatFit) {
  EXPECT_EQ(parse_mesh("2x3", 6, 24), (MeshShape{2, 3}));
  for (const char* text :
       {"", "x", "2", "2x", "x3", "2x3x1", "3x3", "0x6", "-2x-3", "2X3", " 2x3", "99999999999x1", "65536x65536"}) {
    EXPECT_THAT([&] { parse_mesh(text, 6, 24); },
                ThrowsMessage<std::invalid_argument>(
                    AllOf(HasSubstr(std::string("--mesh ") + text + " is no mesh of 6 rank(s) and 24 heads"),
                          HasSubstr("these are: 1x6 2x3 3x2 6x1"))))
        << text;
  }
  EXPECT_THAT([] { parse_mesh("8x1", 8, 4); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("these are: 1x8 2x4 4x2")));
}

TEST(Mesh, RowsAreNeighboursAndColumnsHoldTheSameHeads) {
  run_thread_ranks(6, [](ProcessGroup& group) {
    const Mesh mesh(group, {3, 2});
    EXPECT_EQ(mesh.ulysses().size(), 3);
    EXPECT_EQ(mesh.ring().size(), 2);
    EXPECT_EQ(mesh.ring().rank() * 3 + mesh.ulysses().rank(), group.rank());
    const at::Tensor row = mesh.ulysses().all_gather(at::full({1}, group.rank(), at::kInt));
    EXPECT_EQ(row[0].item<int>(), group.rank() / 3 * 3);
    EXPECT_THROW(Mesh(group, {2, 2}), std::invalid_argument);
  });
}

TEST(TokenParts, CoverEveryTokenOnceWithPaddingAtTheEnd) {
  for (std::int64_t total = 1; total <= 60; ++total) {
    for (int ranks = 1; ranks <= 16; ++ranks) {
      const TokenParts parts = TokenParts::of(total, ranks);
      EXPECT_LT(parts.per_rank * ranks - total, ranks) << "no more padding than needed";
      for (int first = 0; first < ranks; ++first) {
        for (int count = 1; first + count <= ranks; ++count) {
          std::int64_t below = 0;
          for (std::int64_t token = parts.begin(first); token < parts.begin(first + count); ++token) {
            below += token < total ? 1 : 0;
          }
          EXPECT_EQ(parts.valid(first, count), below);
        }
      }
    }
  }
}

}  // namespace
}  // namespace reelfarm::parallel
