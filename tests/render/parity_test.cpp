// `reelfarm render` against diffusers' own pipelines, from the prompt's text to the frames, on whole bundles.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "tests/render/render_program.hpp"

namespace reelfarm::render_test {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";

/// |found - expected| / |expected|
double relative_error(const Floats& found, const Floats& expected) {
  EXPECT_EQ(found.shape, expected.shape);
  if (found.shape != expected.shape) return INFINITY;
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    difference += std::pow(static_cast<double>(found.values[i]) - expected.values[i], 2);
    size += std::pow(static_cast<double>(expected.values[i]), 2);
  }
  return std::sqrt(difference / size);
}

struct Case {
  std::string name;
  std::string dtype;
  double latents_tolerance;
  double frames_tolerance;
};

class RenderParity : public testing::TestWithParam<Case> {};

TEST_P(RenderParity, LatentsAndFramesAreThoseOfDiffusers) {
  const Case& test = GetParam();
  const fs::path folder = fs::temp_directory_path() / ("rf-parity-" + test.name + test.dtype);
  fs::remove_all(folder);
  fs::create_directories(folder);
  const fs::path reference = kReference / (test.name + ".safetensors");
  std::string arguments =
      "--bundle " + (kReference / test.name).string() +
      " --prompt 'A cat walks on the grass, realistic style.' --size 96x64 --frames 17 --device cpu "
      "--threads 1 --dtype " +
      test.dtype + " --initial-latents " + reference.string() + " --save-latents " +
      (folder / "latents.safetensors").string() + " --save-frames " + (folder / "frames.safetensors").string() +
      " --output " + (folder / "clip.mp4").string();
  if (test.name != "t2v") arguments += " --image " + (kReference / "fitted.png").string();
  const Outcome result = render(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.output;

  const double latents = relative_error(read(folder / "latents.safetensors", "latents"), read(reference, "latents"));
  const double frames = relative_error(read(folder / "frames.safetensors", "video"), read(reference, "video"));
  std::printf("%s %s: latents %.2e, frames %.2e\n", test.name.c_str(), test.dtype.c_str(), latents, frames);
  EXPECT_LE(latents, test.latents_tolerance);
  EXPECT_LE(frames, test.frames_tolerance);
  EXPECT_TRUE(fs::exists(folder / "clip.mp4"));
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Families, RenderParity,
                         testing::Values(Case{"t2v", "fp32", 1e-3, 1e-3}, Case{"latent_concat", "fp32", 1e-3, 1e-3},
                                         Case{"token_replace", "fp32", 1e-3, 1e-3},
                                         Case{"latent_concat", "bf16", 2e-2, 5e-2}),
                         [](const auto& chosen) { return chosen.param.name + "_" + chosen.param.dtype; });

}  // namespace
}  // namespace reelfarm::render_test
