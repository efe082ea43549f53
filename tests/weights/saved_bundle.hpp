#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights::testing {

/// A copy of a bundle that diffusers saved (tests/reference/bundles.py), with tokenizers put in, to be spoilt.
class SavedBundle {
 public:
  struct Tensor {
    DType dtype;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;
  };
  using Tensors = std::map<std::string, Tensor>;

  explicit SavedBundle(const std::string& name) {
    const auto source = std::filesystem::path(REELFARM_REFERENCE_DIR) / "bundles" / name;
    std::filesystem::copy(source, folder_.path(), std::filesystem::copy_options::recursive);
    for (const char* tokenizer : {"tokenizer", "tokenizer_2"})
      write_text(folder_.path() / tokenizer / "tokenizer.json", "{}");
  }

  const std::filesystem::path& path() const { return folder_.path(); }

  /// Reads all tensors of a part, lets `change` spoil them, and writes them as one file in the place of the old ones.
  void rewrite(const std::string& part, const std::function<void(Tensors&)>& change) const {
    Tensors tensors;
    {
      const auto source = TensorSource::open(path() / part);
      for (const std::string& name : source->names()) {
        const TensorInfo& tensor = source->at(name);
        tensors[name] = {tensor.dtype, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}};
      }
    }
    change(tensors);
    std::vector<std::filesystem::path> old;
    for (const auto& entry : std::filesystem::directory_iterator(path() / part))
      if (entry.path().string().find(".safetensors") != std::string::npos) old.push_back(entry.path());
    for (const auto& file : old) std::filesystem::remove(file);
    std::vector<SafetensorsWriter::Declaration> declarations;
    for (const auto& [name, tensor] : tensors) declarations.push_back({name, tensor.dtype, tensor.shape});
    SafetensorsWriter writer(path() / part / "model.safetensors", declarations);
    for (const auto& [name, tensor] : tensors) writer.append(name, tensor.bytes);
    writer.finish();
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace reelfarm::weights::testing
