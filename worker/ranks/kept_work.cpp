#include "worker/ranks/kept_work.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/weights/safetensors.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLatentsFile = "latents.safetensors";
constexpr const char* kFramesPrefix = "frames_";
constexpr const char* kTensor = "kept";
constexpr const char* kSha256 = "sha256";
constexpr const char* kTask = "task";
constexpr const char* kNumber = "number";  ///< steps done, or the first frame

std::string_view bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

const std::string& required(const weights::SafetensorsFile& file, const std::string& name) {
  const auto entry = file.metadata().find(name);
  if (entry != file.metadata().end()) return entry->second;
  throw weights::WeightError(file.path().string() + " has no metadata '" + name + "'");
}

std::int64_t required_number(const weights::SafetensorsFile& file) {
  const std::string& text = required(file, kNumber);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  throw weights::WeightError(file.path().string() + " has metadata '" + kNumber + "' of value '" + text + "'");
}

void write(const fs::path& path, const at::Tensor& values, weights::DType dtype, std::int64_t number,
           const std::string& task) {
  artifacts::create_folders(path.parent_path());
  weights::SafetensorsWriter writer(
      path, {{kTensor, dtype, values.sizes().vec()}},
      {{kTask, task}, {kNumber, std::to_string(number)}, {kSha256, artifacts::sha256_of(bytes_of(values))}});
  writer.append(kTensor, std::as_bytes(std::span(bytes_of(values))));
  writer.finish();
}

/// Copied: the file goes when its work is done.
at::Tensor read(const weights::SafetensorsFile& file, at::IntArrayRef shape, at::ScalarType dtype) {
  const nn::ParameterReader reader(weights::TensorSource::open(file.path()), {});
  at::Tensor values = reader.tensor(kTensor, shape, dtype).clone();
  if (artifacts::sha256_of(bytes_of(values)) == required(file, kSha256)) return values;
  throw weights::WeightError(file.path().string() + " does not have the sha256 it was written with");
}

}  // namespace

KeptWork::KeptWork(const fs::path& data, const TaskOrder& order, const std::string& fingerprint) : task_(order.task) {
  const std::string decides =
      order.artifact_key + "\n" + order.tail_sha256 + "\n" + order.image_sha256 + "\n" + fingerprint;
  folder_ = data / order.folder / ".steps" / artifacts::sha256_of(decides).substr(0, 32);
}

void KeptWork::save(const render::StepState& state) const {
  write(folder_ / kLatentsFile, state.latents.to(at::kCPU, at::kFloat).contiguous(), weights::DType::f32,
        state.steps_done, task_);
}

std::optional<render::StepState> KeptWork::load_steps(at::IntArrayRef shape) const {
  const fs::path path = folder_ / kLatentsFile;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  const weights::SafetensorsFile file(path);
  return render::StepState{static_cast<int>(required_number(file)), read(file, shape, at::kFloat)};
}

void KeptWork::save(const render::DecodedFrames& frames) const {
  write(folder_ / (kFramesPrefix + std::to_string(frames.first_frame) + ".safetensors"), frames.rgb8.contiguous(),
        weights::DType::u8, frames.first_frame, task_);
}

std::vector<render::DecodedFrames> KeptWork::load_frames(int width, int height) const {
  std::vector<render::DecodedFrames> pieces;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kFramesPrefix) || entry.path().extension() != ".safetensors") continue;
    const weights::SafetensorsFile file(entry.path());
    const std::int64_t count = file.tensors().at(0).shape.empty() ? 0 : file.tensors()[0].shape[0];
    pieces.push_back({required_number(file), read(file, {count, height, width, 3}, at::kByte), {}});
  }
  std::sort(pieces.begin(), pieces.end(), [](const render::DecodedFrames& left, const render::DecodedFrames& right) {
    return left.first_frame < right.first_frame;
  });
  return pieces;
}

void KeptWork::drop() const {
  std::error_code ignored;  // what is left is removed with the job
  fs::remove_all(folder_, ignored);
}

}  // namespace reelfarm::worker
