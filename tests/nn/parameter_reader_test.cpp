#include "pipeline/nn/parameter_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <vector>

#include "pipeline/weights/safetensors_writer.hpp"

namespace reelfarm::nn {
namespace {

class ParameterReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::temp_directory_path() / ("rf-parameters-" + std::to_string(::getpid()) + ".safetensors");
    weights::SafetensorsWriter writer(file_, {{"a.weight", weights::DType::f32, {2, 3}},
                                              {"a.bias", weights::DType::f16, {2}},
                                              {"b.table", weights::DType::i64, {2}}});
    const std::vector<float> weight = {1, 2, 3, 4, 5, 6};
    const std::vector<std::uint16_t> bias = {0x3C00, 0xC000};  // 1 and -2 in half precision
    const std::vector<std::int64_t> table = {7, 8};
    writer.append("a.weight", std::as_bytes(std::span(weight)));
    writer.append("a.bias", std::as_bytes(std::span(bias)));
    writer.append("b.table", std::as_bytes(std::span(table)));
    writer.finish();
  }
  void TearDown() override { std::filesystem::remove(file_); }

  ParameterReader reader(at::ScalarType dtype = at::kFloat) const {
    return ParameterReader(weights::TensorSource::open(file_), {c10::kCPU, dtype});
  }

  std::string message_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const weights::WeightError& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path file_;
};

TEST_F(ParameterReaderTest, ReadsInItsOwnTypeWhateverIsStored) {
  const ParameterReader a = reader().scope("a");
  EXPECT_EQ(a.tensor("weight", {2, 3})[1][2].item<float>(), 6);
  EXPECT_EQ(a.tensor("bias", {2}).scalar_type(), at::kFloat);
  EXPECT_EQ(a.tensor("bias", {2})[1].item<float>(), -2);
  EXPECT_EQ(reader(at::kBFloat16).scope("a").tensor("weight", {2, 3}).scalar_type(), at::kBFloat16);
  EXPECT_EQ(reader().scope("b").tensor("table", {2}, at::kLong)[1].item<std::int64_t>(), 8);
}

TEST_F(ParameterReaderTest, ATensorOutlivesReaderAndFile) {
  const at::Tensor weight = reader().tensor("a.weight", {2, 3});
  std::filesystem::remove(file_);
  EXPECT_EQ(weight.sum().item<float>(), 21);
}

TEST_F(ParameterReaderTest, AWrongShapeNamesFileTensorAndBothShapes) {
  const std::string message = message_of([&] { reader().tensor("a.weight", {3, 2}); });
  for (const std::string& part : std::vector<std::string>{file_.filename(), "a.weight", "[2, 3]", "[3, 2]"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

TEST_F(ParameterReaderTest, AMissingTensorNamesItsFullName) {
  EXPECT_NE(message_of([&] { reader().scope("a").tensor("wieght", {2, 3}); }).find("a.wieght"), std::string::npos);
}

TEST_F(ParameterReaderTest, WhatNobodyReadIsAnErrorUnlessKnown) {
  const ParameterReader all = reader();
  all.scope("a").tensor("weight", {2, 3});
  const std::string message = message_of([&] { all.expect_all_read(); });
  EXPECT_NE(message.find("2 tensors"), std::string::npos) << message;
  EXPECT_NE(message.find("a.bias b.table"), std::string::npos) << message;
  all.ignore("a.bias");
  all.ignore_below("b");
  EXPECT_NO_THROW(all.scope("a").expect_all_read());
}

}  // namespace
}  // namespace reelfarm::nn
