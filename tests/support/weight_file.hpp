#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::test {

/// Tensors in a file, as layers read them; all are stored in fp32.
class WeightFile {
 public:
  explicit WeightFile(const std::map<std::string, at::Tensor>& tensors) {
    std::vector<weights::SafetensorsWriter::Declaration> declared;
    for (const auto& [name, tensor] : tensors) declared.push_back({name, weights::DType::f32, tensor.sizes().vec()});
    weights::SafetensorsWriter writer(path(), declared);
    for (const auto& [name, tensor] : tensors) {
      const at::Tensor dense = tensor.contiguous();
      writer.append(name, {static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()});
    }
    writer.finish();
  }

  std::filesystem::path path() const { return folder_ / "weights.safetensors"; }

  nn::ParameterReader reader(const nn::Placement& placement) const {
    return {weights::TensorSource::open(path()), placement};
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace reelfarm::test
