#include "worker/ranks/kept_work.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/safetensors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

const std::vector<std::int64_t> kShape = {1, 16, 5, 4, 6};

TaskOrder an_order() {
  TaskOrder order;
  order.task = "j.w0001";
  order.folder = "jobs/j/windows";
  order.artifact_key = "key";
  order.tail_sha256 = "tail";
  return order;
}

TEST(KeptWork, TheLastSavedStepComesBackBitForBit) {
  const test::TemporaryFolder data;
  const KeptWork kept(data.path(), an_order(), "print");
  EXPECT_FALSE(kept.load_steps(kShape));
  kept.save(render::StepState{1, at::randn(kShape)});
  const at::Tensor latents = at::randn(kShape);
  kept.save(render::StepState{2, latents});
  const auto state = KeptWork(data.path(), an_order(), "print").load_steps(kShape);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->steps_done, 2);
  EXPECT_EQ(weights::SafetensorsFile(kept.folder() / "latents.safetensors").metadata().at("task"), "j.w0001");
  EXPECT_TRUE(at::equal(state->latents, latents));
  kept.drop();
  EXPECT_FALSE(kept.load_steps(kShape));
}

TEST(KeptWork, WhatWouldGiveOtherBitsHasAnotherFile) {
  const test::TemporaryFolder data;
  KeptWork(data.path(), an_order(), "print").save(render::StepState{1, at::zeros(kShape)});
  EXPECT_FALSE(KeptWork(data.path(), an_order(), "other").load_steps(kShape));
  TaskOrder order = an_order();
  order.artifact_key = "another prompt";
  EXPECT_FALSE(KeptWork(data.path(), order, "print").load_steps(kShape));
  order = an_order();
  order.tail_sha256 = "another start";
  EXPECT_FALSE(KeptWork(data.path(), order, "print").load_steps(kShape));
  order = an_order();
  order.attempt = 7;
  order.nonce = "of another claim";
  EXPECT_TRUE(KeptWork(data.path(), order, "print").load_steps(kShape));
}

TEST(KeptWork, ADamagedFileIsNamed) {
  const test::TemporaryFolder data;
  const KeptWork kept(data.path(), an_order(), "print");
  kept.save(render::StepState{3, at::ones(kShape)});
  const fs::path latents = kept.folder() / "latents.safetensors";
  EXPECT_THROW(kept.load_steps({1, 16, 5, 4, 7}), weights::WeightError);
  {
    std::fstream file(latents, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('x');
  }
  try {
    kept.load_steps(kShape);
    FAIL() << "a damaged file was taken";
  } catch (const weights::WeightError& error) {
    EXPECT_NE(std::string(error.what()).find(latents.string()), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("sha256"), std::string::npos) << error.what();
  }
  fs::resize_file(latents, 40);
  EXPECT_THROW(kept.load_steps(kShape), weights::WeightError);
}

TEST(KeptWork, DecodedFramesComeBackInOrder) {
  const test::TemporaryFolder data;
  const KeptWork kept(data.path(), an_order(), "print");
  EXPECT_TRUE(kept.load_frames(6, 4).empty());
  const at::Tensor frames = at::randint(256, {17, 4, 6, 3}).to(at::kByte);
  kept.save({13, frames.narrow(0, 13, 4), {}});
  kept.save({0, frames.narrow(0, 0, 9), {}});
  const auto pieces = kept.load_frames(6, 4);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].first_frame, 0);
  EXPECT_TRUE(at::equal(pieces[0].rgb8, frames.narrow(0, 0, 9)));
  EXPECT_EQ(pieces[1].first_frame, 13);
  EXPECT_TRUE(at::equal(pieces[1].rgb8, frames.narrow(0, 13, 4)));
  EXPECT_THROW(kept.load_frames(4, 6), weights::WeightError);
  kept.drop();
  EXPECT_FALSE(fs::exists(kept.folder()));
}

}  // namespace
}  // namespace reelfarm::worker
