#include "cli/render/tensor_files.hpp"

#include <span>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::render {

at::Tensor read_tensor(const std::filesystem::path& file, const std::string& name, at::IntArrayRef shape) {
  const nn::ParameterReader reader(weights::TensorSource::open(file), {});
  return reader.tensor(name, shape);
}

void write_tensor(const std::filesystem::path& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kFloat).contiguous();
  weights::SafetensorsWriter writer(file, {{name, weights::DType::f32, values.sizes().vec()}});
  writer.append(name, {static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
  writer.finish();
}

}  // namespace reelfarm::render
