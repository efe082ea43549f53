#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <functional>
#include <limits>
#include <map>

#include "pipeline/vae/frames.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

const ReferenceCase& reference() {
  static const ReferenceCase value("odd_multiples");
  return value;
}

const CausalVae& vae() {
  static const std::unique_ptr<CausalVae> value = reference().open({at::kCPU, at::kFloat});
  return *value;
}

at::Tensor latents() {
  return reference().tensor("latents/31x2x3");
}

std::vector<FrameChunk> chunks(const DecodeOptions& options) {
  std::vector<FrameChunk> all;
  vae().decode(latents(), options, [&](FrameChunk chunk) { all.push_back(std::move(chunk)); });
  return all;
}

// Frames in their order; fails when one is missing or comes twice.
at::Tensor assemble(const std::vector<FrameChunk>& all, at::Tensor FrameChunk::*member) {
  std::vector<at::Tensor> frames(121);
  for (const FrameChunk& chunk : all) {
    for (std::int64_t i = 0; i < (chunk.*member).size(0); ++i) {
      at::Tensor& slot = frames.at(static_cast<std::size_t>(chunk.first_frame + i));
      EXPECT_FALSE(slot.defined()) << "frame " << chunk.first_frame + i << " came twice";
      slot = (chunk.*member)[i];
    }
  }
  return at::stack(frames);  // throws for a frame that never came
}

TEST(Decode, BothOrdersGiveTheSameBitsAndThoseOfTheSampleForEveryPlan) {
  for (const std::string_view plan : tile_plan_names()) {
    const at::Tensor expected = unit_frames(vae().decode_sample(latents(), plan));
    DecodeOptions options{.plan = std::string(plan), .with_float = true};
    for (const DecodeOrder order : {DecodeOrder::forward, DecodeOrder::last_first}) {
      options.order = order;
      options.tail_frames = 13;
      const auto all = chunks(options);
      EXPECT_TRUE(assemble(all, &FrameChunk::rgb).equal(expected)) << plan;
      EXPECT_TRUE(assemble(all, &FrameChunk::rgb8).equal(quantise_frames(expected))) << plan;
    }
  }
}

TEST(Decode, TheTailIsFinalBeforeAnyOtherTileIsDecoded) {
  for (const std::int64_t tail : {1, 5, 8, 9, 21}) {
    DecodeOptions options{.order = DecodeOrder::last_first, .tail_frames = tail};
    std::size_t blocks_done = 0;
    std::size_t blocks_total = 0;
    std::size_t blocks_at_tail = 0;
    options.on_progress = [&](std::size_t done, std::size_t total) {
      EXPECT_EQ(done, blocks_done + 1);
      blocks_done = done;
      blocks_total = total;
    };
    std::int64_t missing = tail;
    vae().decode(latents(), options, [&](const FrameChunk& chunk) {
      const std::int64_t end = chunk.first_frame + chunk.rgb8.size(0);
      missing -= std::max<std::int64_t>(0, end - std::max<std::int64_t>(chunk.first_frame, 121 - tail));
      if (missing == 0 && blocks_at_tail == 0) blocks_at_tail = blocks_done;
    });
    EXPECT_EQ(blocks_done, blocks_total);
    // Ten tiles; the last holds frames 109..120, the first four of them blended with the tile before.
    const std::size_t tiles = tail <= 8 ? 1 : tail <= 20 ? 2 : 3;
    EXPECT_EQ(blocks_at_tail, tiles * blocks_total / 10) << tail << " frames";
  }
}

TEST(Decode, ForwardChunksAscendWithoutGaps) {
  std::int64_t next = 0;
  for (const FrameChunk& chunk : chunks({})) {
    EXPECT_EQ(chunk.first_frame, next);
    EXPECT_FALSE(chunk.rgb.defined());
    next += chunk.rgb8.size(0);
  }
  EXPECT_EQ(next, 121);
}

TEST(Decode, RepeatsItsBitsWithTheSameNumberOfThreads) {
  const int before = at::get_num_threads();
  const at::Tensor input = reference().tensor("latents/9x3x4");
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const int threads : {1, 2}) {
      at::set_num_threads(threads);
      const at::Tensor first = reference().open({at::kCPU, dtype})->decode_sample(input, "diffusers");
      const auto again = reference().open({at::kCPU, dtype});
      EXPECT_TRUE(first.equal(again->decode_sample(input, "diffusers"))) << threads << " threads";
      EXPECT_TRUE(first.equal(again->decode_sample(input, "diffusers"))) << threads << " threads";
    }
  }
  at::set_num_threads(before);
}

TEST(Decode, AnErrorOfTheReceiverStopsTheWork) {
  std::size_t blocks = 0;
  DecodeOptions options;
  options.on_progress = [&](std::size_t done, std::size_t) {
    blocks = done;
    if (done == 3) throw std::runtime_error("cancelled");
  };
  EXPECT_THAT([&] { vae().decode(latents(), options, [](const FrameChunk&) {}); },
              ThrowsMessage<std::runtime_error>(HasSubstr("cancelled")));
  EXPECT_EQ(blocks, 3U);
}

TEST(Decode, RefusesOtherShapesAndPlansAndNamesThem) {
  EXPECT_THAT(
      [] {
        vae().decode_sample(at::zeros({1, 4, 3, 5, 7}), "whole");
      },
      ThrowsMessage<VaeError>(AllOf(HasSubstr("[1, 4, 3, 5, 7]"), HasSubstr("(1, 16,"))));
  EXPECT_THAT(
      [] {
        vae().decode_sample(at::zeros({1, 16, 3, 5, 7}).to(at::kByte), "whole");
      },
      ThrowsMessage<VaeError>(HasSubstr("floating")));
  EXPECT_THAT(
      [] {
        vae().decode_sample(at::zeros({1, 16, 3, 5, 7}), "fast");
      },
      ThrowsMessage<VaeError>(HasSubstr("'fast'")));
  EXPECT_THAT(
      [] {
        vae().encode(at::zeros({1, 3, 4, 40, 40}), "whole");
      },
      ThrowsMessage<VaeError>(HasSubstr("4k + 1")));
}

TEST(Decode, FramesThatTheCallerHasAreLeftOutAndTheOthersAreTheSameBits) {
  const auto decode = [](DecodeOrder order, const std::function<bool(std::int64_t)>& have, std::size_t& blocks) {
    DecodeOptions options;
    options.order = order;
    options.tail_frames = 5;
    options.have = have;
    options.on_progress = [&](std::size_t, std::size_t total) { blocks = total; };
    std::map<std::int64_t, at::Tensor> frames;
    vae().decode(latents(), options, [&](const FrameChunk& chunk) {
      for (std::int64_t i = 0; i < chunk.rgb8.size(0); ++i) {
        EXPECT_TRUE(frames.emplace(chunk.first_frame + i, chunk.rgb8[i].clone()).second);
      }
    });
    return frames;
  };
  std::size_t all_blocks = 0;
  const auto all = decode(DecodeOrder::forward, {}, all_blocks);
  const auto count = static_cast<std::int64_t>(all.size());
  for (const DecodeOrder order : {DecodeOrder::forward, DecodeOrder::last_first}) {
    for (const std::int64_t known : {std::int64_t{1}, count / 3, count / 2, count - 3}) {
      for (const bool from_start : {true, false}) {
        const auto have = [&](std::int64_t frame) { return from_start ? frame < known : frame >= count - known; };
        std::size_t blocks = 0;
        const auto rest = decode(order, have, blocks);
        EXPECT_EQ(static_cast<std::int64_t>(rest.size()), count - known);
        if (known == count - 3) {
          EXPECT_LT(blocks, all_blocks);
        }
        for (const auto& [index, frame] : rest) {
          EXPECT_FALSE(have(index));
          EXPECT_TRUE(at::equal(frame, all.at(index))) << "frame " << index << " of " << count << ", has " << known;
        }
      }
    }
  }
}

TEST(Decode, NanIsAnErrorAndNoBlackFrame) {
  at::Tensor broken = latents().clone();
  broken.select(2, broken.size(2) - 1).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT([&] { vae().decode(broken, {}, [](const FrameChunk&) {}); },
              ThrowsMessage<VaeError>(AllOf(HasSubstr("NaN"), HasSubstr("--dtype fp32"))));
}

TEST(Encode, AnImageIsOneLatentAndTicksEveryBlock) {
  std::size_t last = 0;
  const at::Tensor z =
      vae().encode(at::zeros({1, 3, 1, 40, 56}), "diffusers", [&](std::size_t done, std::size_t total) {
        EXPECT_EQ(total, 6U);
        last = done;
      });
  EXPECT_EQ(z.sizes(), (std::vector<std::int64_t>{1, 16, 1, 5, 7}));
  EXPECT_EQ(z.scalar_type(), at::kFloat);
  EXPECT_EQ(last, 6U);
}

}  // namespace
}  // namespace reelfarm::vae
