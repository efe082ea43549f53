#include "pipeline/schedulers/philox.hpp"

#include <cstdint>

#include <ATen/core/PhiloxRNGEngine.h>
#include <gtest/gtest.h>

namespace reelfarm::schedulers {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The published answers: Random123, tests/kat_vectors, lines "philox4x32 10".
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, AgreesWithLibTorchsEngine) {
  for (std::uint64_t seed : {0ULL, 1ULL, 42ULL, 0xdeadbeefcafebabeULL}) {
    for (std::uint64_t subsequence : {0ULL, 7ULL, 0x123456789abcdefULL}) {
      for (std::uint64_t offset : {0ULL, 1ULL, 0x1ffffffffULL}) {
        at::philox_engine engine(seed, subsequence, offset);
        const Words counter{static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32),
                            static_cast<std::uint32_t>(subsequence), static_cast<std::uint32_t>(subsequence >> 32)};
        const Words ours =
            philox4x32(counter, {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
        for (const std::uint32_t word : ours) EXPECT_EQ(engine(), word);
      }
    }
  }
}

}  // namespace
}  // namespace reelfarm::schedulers
