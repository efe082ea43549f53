#include "worker/ranks/frame_sorter.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace reelfarm::worker {
namespace {

/// Frames whose only value is their number.
at::Tensor frames(std::int64_t first, std::int64_t count) {
  return at::arange(first, first + count).to(at::kByte).reshape({count, 1, 1, 1});
}

std::vector<std::int64_t> numbers(const at::Tensor& of) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < of.size(0); ++i) result.push_back(of[i].item<std::int64_t>());
  return result;
}

struct Outcome {
  std::vector<std::int64_t> written;
  std::vector<std::int64_t> tail;
  std::size_t tail_after = 0;  // pieces
};

Outcome sort(std::int64_t count, std::int64_t tail, const std::vector<std::pair<std::int64_t, std::int64_t>>& pieces) {
  FrameSorter sorter(count, tail);
  Outcome outcome;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    sorter.add(pieces[i].first, frames(pieces[i].first, pieces[i].second), [&](const at::Tensor& piece) {
      for (const std::int64_t number : numbers(piece)) outcome.written.push_back(number);
    });
    if (const auto found = sorter.take_tail()) {
      EXPECT_TRUE(outcome.tail.empty()) << "the tail came twice";
      outcome.tail = numbers(*found);
      outcome.tail_after = i + 1;
    }
  }
  EXPECT_EQ(sorter.written(), count);
  return outcome;
}

TEST(FrameSorter, APieceThatHoldsMoreThanTheTailIsCutForItAndWrittenInItsPlace) {
  const Outcome outcome = sort(9, 1, {{5, 4}, {0, 3}, {3, 2}});
  EXPECT_EQ(outcome.tail, (std::vector<std::int64_t>{8}));
  EXPECT_EQ(outcome.tail_after, 1u);
  EXPECT_EQ(outcome.written, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(FrameSorter, ATailOfSeveralPiecesWaitsForAllOfThemInAnyOrder) {
  const Outcome outcome = sort(9, 5, {{7, 2}, {3, 4}, {0, 3}});
  EXPECT_EQ(outcome.tail, (std::vector<std::int64_t>{4, 5, 6, 7, 8}));
  EXPECT_EQ(outcome.tail_after, 2u);
}

TEST(FrameSorter, OnePieceIsAllOfIt) {
  const Outcome outcome = sort(5, 5, {{0, 5}});
  EXPECT_EQ(outcome.tail, outcome.written);
}

}  // namespace
}  // namespace reelfarm::worker
