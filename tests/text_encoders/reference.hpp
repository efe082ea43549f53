#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::text_encoders {

/// One case of the reference data that tests/reference/text_encoders.py writes.
class ReferenceCase {
 public:
  explicit ReferenceCase(const std::string& name);

  /// A tensor of reference.safetensors in its stored type.
  at::Tensor tensor(const std::string& name) const;
  std::vector<std::int64_t> ids(const std::string& name = "ids") const;

  nlohmann::json json(const std::string& file = "config.json") const;
  /// The case's model.safetensors.
  nn::ParameterReader model(at::ScalarType dtype = at::kFloat) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  nn::ParameterReader reference_;
};

/// Whether `actual` has the shape of `expected` and a relative error |actual - expected| / |expected| (2-norms) of at
/// most `tolerance`, with no element off by more than 4 times that of the largest magnitude.
testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected, double tolerance);

/// fp32 parity of one part.
inline constexpr double kFloatTolerance = 1e-4;
/// bf16 parity of one part.
inline constexpr double kHalfTolerance = 2e-2;

}  // namespace reelfarm::text_encoders
