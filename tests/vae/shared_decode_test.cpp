// A decode by several ranks has the bits of a decode by one.
#include "pipeline/vae/shared_decode.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <limits>
#include <stdexcept>

#include "parallel/errors.hpp"
#include "parallel/thread_group.hpp"
#include "pipeline/vae/tile_plan.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const CausalVae& vae() {
  static const std::unique_ptr<CausalVae> value = ReferenceCase("odd_multiples").open({at::kCPU, at::kFloat});
  return *value;
}

at::Tensor random_latents(std::int64_t frames, std::int64_t height, std::int64_t width) {
  at::Generator generator = at::detail::createCPUGenerator(3);
  return at::randn({1, vae().config().latent_channels, frames, height, width}, generator, at::kFloat);
}

/// Runs act(leader) on rank 0 while the others follow.
void with_ranks(int ranks, const std::function<void(const DecodeLeader&)>& act) {
  parallel::run_thread_ranks(ranks, [&](parallel::ProcessGroup& group) {
    if (group.rank() != 0) return follow_decodes(vae(), group);
    const DecodeLeader leader(vae(), group);
    act(leader);
  });
}

void expect_same(const std::vector<FrameChunk>& found, const std::vector<FrameChunk>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].first_frame, expected[i].first_frame) << "chunk " << i;
    EXPECT_TRUE(at::equal(found[i].rgb8, expected[i].rgb8)) << "chunk " << i;
    ASSERT_EQ(found[i].rgb.defined(), expected[i].rgb.defined());
    if (found[i].rgb.defined()) {
      EXPECT_TRUE(at::equal(found[i].rgb, expected[i].rgb)) << "chunk " << i;
    }
  }
}

class SharedDecode : public ::testing::TestWithParam<int> {};

TEST_P(SharedDecode, GivesTheChunksOfOneRankInTheirOrderForEveryPlan) {
  std::vector<DecodeOptions> all;
  for (const std::string_view plan : tile_plan_names()) {
    for (const DecodeOrder order : {DecodeOrder::forward, DecodeOrder::last_first}) {
      all.push_back({.plan = std::string(plan), .order = order, .tail_frames = 9});
    }
  }
  all[0].with_float = true;
  all[2].with_float = true;
  for (std::size_t i = 0; i < all.size(); i += 3) all[i].leader = LeadersShare::least;
  // As a group that goes on where another was killed.
  all[3].have = [](std::int64_t frame) { return frame > 50 || (frame > 20 && frame < 30); };
  all[4].have = [](std::int64_t) { return true; };
  // Small enough for a test, large enough for 3 x 3 tiles of space in the plans that have them.
  const int scale = static_cast<int>(vae().config().spatial_compression_ratio);
  const at::Tensor flat = random_latents(31, 2, 3);
  const at::Tensor wide = random_latents(6, 256 / scale + 3, 192 / scale + 5);
  with_ranks(GetParam(), [&](const DecodeLeader& leader) {
    for (const DecodeOptions& options : all) {
      for (const at::Tensor& latents : {flat, wide}) {
        if (latents.is_same(wide) && options.plan.find('s') == std::string::npos) continue;
        std::vector<FrameChunk> expected;
        vae().decode(latents, options, [&](FrameChunk chunk) { expected.push_back(std::move(chunk)); });
        std::vector<FrameChunk> found;
        leader.decode(latents, options, [&](FrameChunk chunk) { found.push_back(std::move(chunk)); });
        expect_same(found, expected);
      }
    }
  });
}

TEST_P(SharedDecode, AnErrorOfTheReceiverReachesItAndTheNextDecodeIsWhole) {
  const at::Tensor latents = random_latents(31, 2, 3);
  with_ranks(GetParam(), [&](const DecodeLeader& leader) {
    int chunks = 0;
    EXPECT_THAT(
        [&] {
          leader.decode(latents, {}, [&](const FrameChunk&) {
            ++chunks;
            throw std::runtime_error("disk full");
          });
        },
        ThrowsMessage<std::runtime_error>("disk full"));
    EXPECT_EQ(chunks, 1);
    DecodeOptions cancelled;
    std::size_t blocks = 0;
    cancelled.on_progress = [&](std::size_t done, std::size_t total) {
      EXPECT_LE(done, total);
      blocks = done;
      throw std::runtime_error("cancelled");
    };
    EXPECT_THAT([&] { leader.decode(latents, cancelled, [](const FrameChunk&) {}); },
                ThrowsMessage<std::runtime_error>("cancelled"));
    EXPECT_EQ(blocks, 1U);
    std::int64_t frames = 0;
    leader.decode(latents, {}, [&](const FrameChunk& chunk) { frames += chunk.rgb8.size(0); });
    EXPECT_EQ(frames, 121);
  });
}

TEST_P(SharedDecode, BadLatentsAndNaNAreTheErrorsOfOneRank) {
  at::Tensor latents = random_latents(31, 2, 3);
  with_ranks(GetParam(), [&](const DecodeLeader& leader) {
    EXPECT_THAT([&] { leader.decode(latents.narrow(1, 0, 2), {}, [](const FrameChunk&) {}); },
                ThrowsMessage<VaeError>(HasSubstr("latents have shape")));
    EXPECT_THAT([&] { leader.decode(latents, {.plan = "none"}, [](const FrameChunk&) {}); },
                ThrowsMessage<VaeError>(HasSubstr("tile plan 'none' is unknown")));
    at::Tensor holed = latents.clone();
    holed.select(2, 30).fill_(std::numeric_limits<float>::quiet_NaN());
    EXPECT_THAT([&] { leader.decode(holed, {}, [](const FrameChunk&) {}); },
                ThrowsMessage<VaeError>(HasSubstr("hold NaN")));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, SharedDecode, ::testing::Values(1, 2, 3, 4, 6, 8));

TEST(SharedDecodeErrors, ALostRankEndsTheDecode) {
  const at::Tensor latents = random_latents(31, 2, 3);
  std::string told;
  const auto body = [&](parallel::ProcessGroup& group) {
    if (group.rank() == 1) throw std::runtime_error("out of memory");
    const DecodeLeader leader(vae(), group);
    try {
      leader.decode(latents, {}, [](const FrameChunk&) {});
    } catch (const parallel::GroupError& error) {
      told = error.what();
    }
  };
  EXPECT_THAT([&] { parallel::run_thread_ranks(2, body); }, ThrowsMessage<std::runtime_error>("out of memory"));
  EXPECT_THAT(told, HasSubstr("rank 1: out of memory"));
}

}  // namespace
}  // namespace reelfarm::vae
