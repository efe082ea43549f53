#include "pipeline/weights/quantize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>

#include "pipeline/weights/bundle_hash.hpp"
#include "pipeline/weights/detail/eight_bit.hpp"
#include "pipeline/weights/detail/float_bits.hpp"
#include "pipeline/weights/detail/widen.hpp"
#include "pipeline/weights/verify.hpp"
#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::SavedBundle;
using testing::TemporaryFolder;

TEST(EightBitFloat, EveryValueComesBackAndTiesGoToTheEvenOne) {
  for (unsigned code = 0; code < 0x7E; ++code) {
    const float value = detail::from_f8_e4m3(static_cast<std::uint8_t>(code));
    const float next = detail::from_f8_e4m3(static_cast<std::uint8_t>(code + 1));
    const float middle = (value + next) / 2;
    EXPECT_EQ(detail::to_f8_e4m3(value), code);
    EXPECT_EQ(detail::to_f8_e4m3(-value), code | 0x80U);
    EXPECT_EQ(detail::to_f8_e4m3(middle), code + code % 2) << middle;
    EXPECT_EQ(detail::to_f8_e4m3(std::nextafter(middle, 0.0F)), code);
    EXPECT_EQ(detail::to_f8_e4m3(std::nextafter(middle, 1e9F)), code + 1);
  }
  EXPECT_EQ(detail::to_f8_e4m3(448), 0x7E);
  EXPECT_EQ(detail::to_f8_e4m3(1e30F), 0x7E);
  EXPECT_EQ(detail::to_f8_e4m3(std::nanf("")) & 0x7F, 0x7F);
}

std::vector<float> floats_of(const TensorInfo& tensor) {
  std::vector<float> values(tensor.element_count());
  detail::widen(tensor.dtype, read(tensor).bytes, values);
  return values;
}

TEST(EightBitRows, EachRowHasAScaleOfItsOwn) {
  const std::vector<float> weight{127, -63.5F, 0.5F, 1.5F, 0, 0, 0, 0, 1e-3F, 2e-3F, -4e-3F, 0};
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder / "x.safetensors", {{"x.weight", DType::f32, {3, 4}}});
  writer.append("x.weight", std::as_bytes(std::span(weight)));
  writer.finish();
  const auto source = TensorSource::open(folder / "x.safetensors");
  const TensorInfo& tensor = source->at("x.weight");
  const detail::EightBitRows int8 = detail::eight_bit_rows(tensor, DType::i8);
  EXPECT_EQ(int8.scales.name, "x.weight_scale");
  EXPECT_THAT(int8.scales.shape, ElementsAre(3, 1));
  EXPECT_THAT(floats_of(int8.scales), ElementsAre(1.0F, 1.0F, 4e-3F / 127)) << "also when they are read first";
  EXPECT_THAT(floats_of(int8.values), ElementsAre(127, -64, 0, 2, 0, 0, 0, 0, 32, 64, -127, 0)) << "ties to even";
  double difference = 0, size = 0;
  const std::vector<float> q = floats_of(int8.values), scales = floats_of(int8.scales);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    difference += std::pow(q[i] * scales[i / 4] - weight[i], 2);
    size += std::pow(weight[i], 2);
  }
  EXPECT_NEAR(*int8.error, std::sqrt(difference / size), 1e-7);
  EXPECT_GT(*int8.error, 0);
  const detail::EightBitRows fp8 = detail::eight_bit_rows(tensor, DType::f8_e4m3);
  const std::vector<float> values = floats_of(fp8.values), fp8_scales = floats_of(fp8.scales);
  EXPECT_EQ(values[0], 448.0F);
  EXPECT_EQ(values[10], -448.0F);
  for (std::size_t i = 0; i < weight.size(); ++i)
    EXPECT_LE(std::abs(values[i] * fp8_scales[i / 4] - weight[i]), std::abs(weight[i]) / 16 * 1.0001F) << i;
}

class Quantize : public ::testing::Test {
 protected:
  QuantizeRequest request(DType dtype, bool modulation = false) const {
    QuantizeRequest made;
    made.source = saved_.path();
    made.target = folder_ / "new";
    made.form = {dtype, modulation};
    return made;
  }
  std::vector<std::string> left_over() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    return names;
  }
  std::string refusal(const QuantizeRequest& request) const {
    const std::string message = message_of<WeightError>([&] { quantize(request); });
    EXPECT_THAT(left_over(), IsEmpty()) << "a failure leaves nothing";
    return message;
  }

  SavedBundle saved_{"t2v"};
  TemporaryFolder folder_;
};

double error_of(const TensorInfo& found, const TensorInfo& expected) {
  const std::vector<float> have = floats_of(found), want = floats_of(expected);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(static_cast<double>(have[i]) - want[i], 2);
    size += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(difference / size);
}

TEST_F(Quantize, TheProductsOfTheBlocksAreIn8BitsAndNothingElse) {
  const auto before = Bundle::open(saved_.path()).tensors("transformer");
  for (const auto& [dtype, modulation, largest] :
       {std::tuple{DType::i8, false, 0.01}, {DType::i8, true, 0.01}, {DType::f8_e4m3, false, 0.04}}) {
    const Quantization made = quantize(request(dtype, modulation));
    const Bundle bundle = Bundle::open(folder_ / "new");
    EXPECT_THAT(verify(bundle).problems, IsEmpty());
    const auto after = bundle.tensors("transformer");
    EXPECT_TRUE(after->form().scaled);
    EXPECT_EQ(after->names(), before->names());
    std::map<std::string, double> errors;
    for (const auto& layer : made.layers) errors[layer.name] = layer.error;
    for (const std::string& name : before->names()) {
      const bool product = name.find("transformer_blocks.") != std::string::npos && name.ends_with(".weight") &&
                           before->at(name).shape.size() == 2;
      const bool modulates = name.find(".norm") != std::string::npos;
      ASSERT_EQ(errors.contains(name), product && (!modulates || modulation)) << name;
      if (!errors.contains(name)) {
        EXPECT_TRUE(std::ranges::equal(read(after->at(name)).bytes, read(before->at(name)).bytes)) << name;
        continue;
      }
      EXPECT_LE(errors[name], largest) << name;
      // What is read is rounded to bf16 after that.
      EXPECT_NEAR(error_of(after->at(name), before->at(name)), errors[name], 2e-3) << name;
    }
    EXPECT_LT(made.bytes_after, made.bytes_before);
    const auto told = quantization_of(folder_ / "new");
    ASSERT_TRUE(told);
    EXPECT_EQ(told->format, dtype == DType::i8 ? "int8" : "fp8");
    EXPECT_EQ(told->modulation, modulation);
    EXPECT_EQ(told->layers.size(), made.layers.size());
    EXPECT_EQ(told->worst().error, made.worst().error);
    EXPECT_EQ(told->source_hash, bundle_hash(Bundle::open(saved_.path())));
    fs::remove_all(folder_ / "new");
  }
}

TEST_F(Quantize, AFullDiskLeavesNothing) {
  // As a write beyond the room that is left fails, so does one beyond this limit.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{60'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of<WeightError>([&] { quantize(request(DType::i8)); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(message, AllOf(HasSubstr("cannot write"), HasSubstr("File too large")));
  EXPECT_THAT(left_over(), IsEmpty());
}

TEST_F(Quantize, RefusesWhatItCannotMake) {
  saved_.rewrite("transformer", [](SavedBundle::Tensors& tensors) {
    const float infinite = std::numeric_limits<float>::infinity();
    std::memcpy(tensors["transformer_blocks.1.attn.to_q.weight"].bytes.data(), &infinite, sizeof infinite);
  });
  EXPECT_THAT(refusal(request(DType::i8)),
              AllOf(HasSubstr("transformer_blocks.1.attn.to_q.weight"), HasSubstr("not finite")));
  saved_.rewrite("transformer", [](SavedBundle::Tensors& tensors) { tensors.erase("proj_out.bias"); });
  EXPECT_THAT(refusal(request(DType::i8)), HasSubstr("proj_out.bias"));
  fs::remove_all(saved_.path() / "vae");
  EXPECT_THAT(refusal(request(DType::i8)), HasSubstr("vae"));
}

TEST(QuantizedSize, The13BModelIsHalfAsLarge) {
  const Config whole("config.json", nlohmann::json::object());  // all of it at its defaults
  const auto gigabytes = [&](const std::optional<EightBitForm>& form) {
    return static_cast<double>(transformer_bytes(whole, form).total()) / 1e9;
  };
  EXPECT_NEAR(gigabytes(std::nullopt), 25.642, 0.001);
  EXPECT_NEAR(gigabytes(EightBitForm{DType::i8, false}), 16.591, 0.001);
  EXPECT_NEAR(gigabytes(EightBitForm{DType::f8_e4m3, false}), 16.591, 0.001);
  EXPECT_NEAR(gigabytes(EightBitForm{DType::i8, true}), 13.198, 0.001);
}

}  // namespace
}  // namespace reelfarm::weights
