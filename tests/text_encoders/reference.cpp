#include "tests/text_encoders/reference.hpp"

#include <fstream>

namespace reelfarm::text_encoders {
namespace {

nn::ParameterReader open(const std::filesystem::path& file, at::ScalarType dtype) {
  return nn::ParameterReader(weights::TensorSource::open(file), {at::kCPU, dtype});
}

at::ScalarType stored_type(weights::DType dtype) {
  switch (dtype) {
    case weights::DType::i64:
      return at::kLong;
    case weights::DType::u8:
      return at::kByte;
    case weights::DType::bf16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

}  // namespace

ReferenceCase::ReferenceCase(const std::string& name)
    : folder_(std::filesystem::path(REELFARM_REFERENCE_DIR) / "text_encoders" / name),
      reference_(open(folder_ / "reference.safetensors", at::kFloat)) {}

at::Tensor ReferenceCase::tensor(const std::string& name) const {
  const auto source = weights::TensorSource::open(folder_ / "reference.safetensors");
  return reference_.tensor(name, source->at(name).shape, stored_type(source->at(name).dtype));
}

std::vector<std::int64_t> ReferenceCase::ids(const std::string& name) const {
  const at::Tensor stored = tensor(name).contiguous();
  const auto* data = stored.const_data_ptr<std::int64_t>();
  return {data, data + stored.numel()};
}

nlohmann::json ReferenceCase::json(const std::string& file) const {
  std::ifstream stream(folder_ / file);
  return nlohmann::json::parse(stream);
}

nn::ParameterReader ReferenceCase::model(at::ScalarType dtype) const {
  return open(folder_ / "model.safetensors", dtype);
}

testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
  if (actual.sizes() != expected.sizes()) {
    return testing::AssertionFailure() << "shape " << actual.sizes() << ", expected " << expected.sizes();
  }
  const at::Tensor a = actual.to(at::kDouble);
  const at::Tensor b = expected.to(at::kDouble);
  const double largest = ((a - b).abs().max() / b.abs().max()).item<double>();
  const double norm = ((a - b).norm() / b.norm()).item<double>();
  // Written so that a NaN fails.
  if (norm <= tolerance && largest <= 4 * tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "relative error " << norm << ", allowed " << tolerance
                                     << "; largest difference " << largest << " of the largest magnitude";
}

}  // namespace reelfarm::text_encoders
