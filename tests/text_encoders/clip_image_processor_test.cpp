#include "pipeline/text_encoders/clip_image_processor.hpp"

#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/video/image.hpp"
#include "pipeline/weights/config.hpp"
#include "tests/text_encoders/reference.hpp"

namespace reelfarm::text_encoders {
namespace {

ClipImageProcessor processor_of(const nlohmann::json& json) {
  return ClipImageProcessor::parse(weights::Config("preprocessor_config.json", json));
}

video::Image image_of(const at::Tensor& pixels) {
  video::Image image(static_cast<int>(pixels.size(1)), static_cast<int>(pixels.size(0)));
  const at::Tensor packed = pixels.contiguous();
  std::copy_n(packed.const_data_ptr<std::uint8_t>(), image.rgb.size(), image.rgb.begin());
  return image;
}

// Image and processor, as named in the reference data.
using Case = std::tuple<const char*, const char*>;

class ClipImageProcessorAgainstTransformers : public testing::TestWithParam<Case> {
 protected:
  ReferenceCase reference{"images"};
  std::string image = std::get<0>(GetParam());
  std::string name = std::get<1>(GetParam());
  nlohmann::json json = reference.json(name + "/preprocessor_config.json");
  at::Tensor pixels = processor_of(json)(image_of(reference.tensor(image)));

  // Differences in steps of an 8-bit value.
  at::Tensor steps_to(const at::Tensor& expected) const {
    at::Tensor step = at::full({3}, 1.0 / 255.0);
    if (json["do_normalize"].get<bool>()) {
      step = step / at::tensor(json["image_std"].get<std::vector<double>>(), at::kFloat);
    }
    return (pixels - expected).abs() / step.view({1, 3, 1, 1});
  }
};

TEST_P(ClipImageProcessorAgainstTransformers, EveryPixelIsPillows) {
  const at::Tensor expected = reference.tensor(image + "." + name + ".pillow");
  ASSERT_EQ(pixels.sizes(), expected.sizes());
  EXPECT_LE(steps_to(expected).max().item<double>(), 1e-3);
}

// Without "padded": torchvision sets a picture that is too small elsewhere on its black ground.
class ClipImageProcessorAgainstTorchvision : public ClipImageProcessorAgainstTransformers {};

TEST_P(ClipImageProcessorAgainstTorchvision, TheTorchvisionFormOfTransformers5IsNear) {
  const at::Tensor steps = steps_to(reference.tensor(image + "." + name));
  EXPECT_LE(steps.max().item<double>(), 3.01);
  EXPECT_LE(steps.mean().item<double>(), 0.2);
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
}

INSTANTIATE_TEST_SUITE_P(Cases, ClipImageProcessorAgainstTransformers,
                         testing::Combine(testing::Values("photo", "tall", "small", "same"),
                                          testing::Values("clip336", "tiny", "padded", "square", "old")),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Cases, ClipImageProcessorAgainstTorchvision,
                         testing::Combine(testing::Values("photo", "tall", "small", "same"),
                                          testing::Values("clip336", "tiny", "square", "old")),
                         name_of_case);

TEST(ClipImageProcessor, RefusesASliver) {
  const ClipImageProcessor processor = processor_of(nlohmann::json::object());
  EXPECT_THROW(processor(video::Image(5000, 16)), PromptError);
  EXPECT_EQ(processor(video::Image(1024, 16)).sizes(), (std::vector<std::int64_t>{1, 3, 224, 224}));
}

TEST(ClipImageProcessor, RefusesWhatItCannotDo) {
  EXPECT_THROW(processor_of({{"resample", 2}}), weights::WeightError);
  EXPECT_THROW(processor_of({{"image_mean", {0.5}}}), weights::WeightError);
  EXPECT_THROW(processor_of({{"crop_size", {{"height", 20}}}}), weights::WeightError);
}

}  // namespace
}  // namespace reelfarm::text_encoders
