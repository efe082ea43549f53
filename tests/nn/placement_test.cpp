#include "pipeline/nn/placement.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::nn {
namespace {

TEST(Placement, CpuIsAlwaysThere) {
  EXPECT_TRUE(resolve_device("cpu").is_cpu());
  EXPECT_EQ(resolve_dtype("auto", c10::kCPU), cpu_multiplies_bf16() ? c10::kBFloat16 : c10::kFloat);
  EXPECT_EQ(resolve_dtype("bf16", c10::kCPU), c10::kBFloat16);
  EXPECT_EQ(resolve_dtype("auto", c10::Device(c10::kCUDA, 0)), c10::kBFloat16);
}

TEST(Placement, AutoTakesAGpuExactlyWhereADriverShowsOne) {
  EXPECT_EQ(resolve_device("auto").is_cuda(), cuda_device_present());
}

TEST(Placement, CudaWithoutADeviceSaysSo) {
  if (cuda_device_present()) {
    EXPECT_TRUE(resolve_device("cuda").is_cuda());
    return;
  }
  try {
    resolve_device("cuda:1");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("--device cpu"), std::string::npos);
  }
}

TEST(Placement, EightBitsFallBackWithASentenceWhereTheDeviceHasNone) {
  const ResolvedPlacement found = resolve_placement("fp8", c10::kCPU);
  EXPECT_EQ(found.placement.quantisation, Quantisation::none);
  EXPECT_FALSE(found.placement.quantised_attention);
  EXPECT_EQ(found.placement.dtype, resolve_dtype("auto", c10::kCPU));
  EXPECT_NE(found.note.find("runs on the CPU"), std::string::npos) << found.note;
  EXPECT_NE(found.note.find("renders in " + std::string(dtype_name(found.placement))), std::string::npos) << found.note;
}

TEST(Placement, OtherTypesNeedNoSentence) {
  for (const char* word : {"auto", "fp32", "bf16"}) {
    const ResolvedPlacement found = resolve_placement(word, c10::kCPU);
    EXPECT_EQ(found.placement.dtype, resolve_dtype(word, c10::kCPU));
    EXPECT_EQ(found.placement.quantisation, Quantisation::none);
    EXPECT_EQ(found.note, "");
  }
}

TEST(Placement, NamesComeBack) {
  EXPECT_EQ(dtype_name(Placement{c10::kCPU, c10::kFloat}), "fp32");
  EXPECT_EQ(dtype_name(Placement{c10::Device(c10::kCUDA, 0), c10::kBFloat16, Quantisation::fp8, true}), "fp8");
}

TEST(Placement, Int8IsOfWeightsAloneAndKeepsTheComputeType) {
  const ResolvedPlacement resolved = resolve_placement("int8", c10::kCPU);
  EXPECT_EQ(resolved.placement.quantisation, Quantisation::int8);
  EXPECT_EQ(resolved.placement.dtype, resolve_dtype("auto", c10::kCPU));
  EXPECT_EQ(dtype_name(resolved.placement), "int8");
  EXPECT_EQ(resolved.note, "");
}

TEST(Placement, W8a8IsThereOnTheCpuAndOnGpusFromAmpereOn) {
  const ResolvedPlacement resolved = resolve_placement("w8a8", c10::kCPU);
  EXPECT_EQ(resolved.placement.quantisation, Quantisation::w8a8);
  EXPECT_EQ(resolved.placement.dtype, resolve_dtype("auto", c10::kCPU));
  EXPECT_EQ(dtype_name(resolved.placement), "w8a8");
  EXPECT_EQ(resolved.note, "");
  if (!cuda_device_present()) return;
  const ResolvedPlacement gpu = resolve_placement("w8a8", resolve_device("cuda"));
  EXPECT_EQ(gpu.placement.quantisation == Quantisation::w8a8, cuda_compute_capability(0) >= 80);
  EXPECT_EQ(gpu.placement.quantisation == Quantisation::w8a8, gpu.note.empty()) << gpu.note;
}

TEST(Placement, OtherWordsAreRefused) {
  EXPECT_THROW(resolve_device("gpu"), std::invalid_argument);
  EXPECT_THROW(resolve_dtype("fp64", c10::kCPU), std::invalid_argument);
  EXPECT_THROW(resolve_placement("int4", c10::kCPU), std::invalid_argument);
  EXPECT_THROW(resolve_placement("fp64", c10::kCPU), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::nn
