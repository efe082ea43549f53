#include "pipeline/weights/tensor_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/gguf_file.hpp"
#include "pipeline/weights/safetensors.hpp"
#include "pipeline/weights/torch_file.hpp"

namespace reelfarm::weights {
namespace {

bool is_utf8(const std::string& text) {
  try {
    nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

std::unique_ptr<TensorFile> TensorFile::open(const std::filesystem::path& file) {
  bool torch = false, gguf = false;
  {
    const detail::MappedFile mapping(file);
    torch = looks_like_torch(mapping.bytes());
    gguf = looks_like_gguf(mapping.bytes());
  }
  if (torch) return std::make_unique<TorchFile>(file);
  if (gguf) return std::make_unique<GgufFile>(file);
  return std::make_unique<SafetensorsFile>(file);
}

void TensorFile::finish_names() {
  std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const TensorInfo* previous = nullptr;
  for (const TensorInfo& tensor : tensors_) {
    const std::string what = "weights: " + path_.string() + ": tensor " + detail::shown(tensor.name);
    if (!is_utf8(tensor.name)) throw WeightError(what + ": its name is not UTF-8");
    if (previous != nullptr && previous->name == tensor.name) throw WeightError(what + " is doubled");
    previous = &tensor;
  }
}

}  // namespace reelfarm::weights
