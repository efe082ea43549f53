#include "pipeline/nn/detail/copy_team.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace reelfarm::nn::detail {
namespace {

// Sizes around the parts that threads take, and one copy after another: a thread that is late for a round, or still in
// the one before, shows as bytes that are missing.
TEST(CopyTeam, CopiesEveryByteOnceARound) {
  constexpr std::int64_t kMiB = std::int64_t{1} << 20;  // two parts
  for (const unsigned threads : {1U, 2U, 7U}) {
    CopyTeam team(threads);
    unsigned seed = 1;
    for (const std::int64_t bytes :
         {std::int64_t{0}, std::int64_t{1}, kMiB / 2, kMiB / 2 + 1, kMiB - 1, kMiB, kMiB + 1, 5 * kMiB + 3})
      for (int again = 0; again < 20; ++again) {
        std::vector<std::byte> from(static_cast<std::size_t>(bytes) + 1);
        for (std::byte& byte : from) byte = static_cast<std::byte>((seed = seed * 1664525 + 1013904223) >> 24);
        std::vector<std::byte> to(from.size(), std::byte{0x5a});
        team.copy(to.data(), from.data(), bytes);
        from.back() = std::byte{0x5a};  // behind the last one nothing is written
        ASSERT_EQ(to, from) << bytes << " bytes, " << threads << " threads, round " << again;
      }
  }
}

}  // namespace
}  // namespace reelfarm::nn::detail
