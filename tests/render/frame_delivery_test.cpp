#include "pipeline/render/frame_delivery.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <future>
#include <stdexcept>
#include <vector>

namespace reelfarm::render {
namespace {

using testing::ElementsAre;

vae::FrameChunk chunk(std::int64_t first_frame) {
  return {first_frame, at::full({4, 2, 2, 3}, first_frame, at::kByte), {}};
}

TEST(FrameDelivery, HandsOverInOrderAndHoldsNobodyUp) {
  std::promise<void> begun;
  std::promise<void> may_go_on;
  std::vector<std::int64_t> came;
  FrameDelivery delivery([&](const DecodedFrames& frames) {
    if (came.empty()) {
      begun.set_value();
      may_go_on.get_future().wait();
    }
    EXPECT_TRUE(at::equal(frames.rgb8, chunk(frames.first_frame).rgb8));
    EXPECT_FALSE(frames.rgb.defined());
    came.push_back(frames.first_frame);
  });
  delivery.put(chunk(8));
  begun.get_future().wait();
  delivery.put(chunk(0));
  delivery.put(chunk(4));
  may_go_on.set_value();
  delivery.finish();
  EXPECT_THAT(came, ElementsAre(8, 0, 4));
}

TEST(FrameDelivery, WhatTheReceiverThrowsReachesWhoDecodes) {
  std::vector<std::int64_t> came;
  FrameDelivery delivery([&](const DecodedFrames& frames) {
    came.push_back(frames.first_frame);
    if (frames.first_frame == 4) throw std::runtime_error("disk full");
  });
  delivery.put(chunk(0));
  delivery.put(chunk(4));
  const auto go_on = [&] {
    for (;;) delivery.put(chunk(8));
  };
  EXPECT_THROW(go_on(), std::runtime_error);
  EXPECT_THROW(delivery.finish(), std::runtime_error);
  EXPECT_THAT(came, ElementsAre(0, 4)) << "nothing comes after an error";
}

TEST(FrameDelivery, ADecodeThatFailsEndsWhatIsHandedOver) {
  std::vector<std::int64_t> came;
  {
    FrameDelivery delivery([&](const DecodedFrames& frames) { came.push_back(frames.first_frame); });
    for (std::int64_t first = 0; first < 200; first += 4) delivery.put(chunk(first));
  }
  // How far it came is a matter of time; that nobody calls any more, and that none was left out, is not.
  for (std::size_t i = 0; i < came.size(); ++i) EXPECT_EQ(came[i], static_cast<std::int64_t>(4 * i));
}

}  // namespace
}  // namespace reelfarm::render
