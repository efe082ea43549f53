#include "pipeline/nn/parameter_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>
#include <sstream>

#include "pipeline/nn/upload.hpp"

namespace reelfarm::nn {
namespace {

at::ScalarType scalar_type(weights::DType dtype) {
  switch (dtype) {
    case weights::DType::f64:
      return at::kDouble;
    case weights::DType::f32:
      return at::kFloat;
    case weights::DType::f16:
      return at::kHalf;
    case weights::DType::bf16:
      return at::kBFloat16;
    case weights::DType::f8_e4m3:
      return at::kFloat8_e4m3fn;
    case weights::DType::f8_e5m2:
      return at::kFloat8_e5m2;
    case weights::DType::i64:
      return at::kLong;
    case weights::DType::i32:
      return at::kInt;
    case weights::DType::i16:
      return at::kShort;
    case weights::DType::i8:
      return at::kChar;
    case weights::DType::u8:
      return at::kByte;
    case weights::DType::boolean:
      return at::kBool;
  }
  throw weights::WeightError("a stored dtype has no LibTorch type");
}

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

}  // namespace

struct ParameterReader::Record {
  std::mutex mutex;
  std::set<std::string, std::less<>> read;
};

ParameterReader::ParameterReader(std::shared_ptr<const weights::TensorSource> source, Placement placement)
    : ParameterReader(std::move(source), placement, "", std::make_shared<Record>()) {}

ParameterReader::ParameterReader(std::shared_ptr<const weights::TensorSource> source, Placement placement,
                                 std::string prefix, std::shared_ptr<Record> record)
    : source_(std::move(source)), placement_(placement), prefix_(std::move(prefix)), record_(std::move(record)) {}

ParameterReader ParameterReader::scope(std::string_view name) const {
  return ParameterReader(source_, placement_, full_name(name), record_);
}

ParameterReader ParameterReader::with_placement(Placement placement) const {
  return ParameterReader(source_, placement, prefix_, record_);
}

std::string ParameterReader::full_name(std::string_view name) const {
  return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
}

at::Tensor ParameterReader::tensor(std::string_view name, at::IntArrayRef expected) const {
  return tensor(name, expected, placement_.dtype);
}

at::Tensor ParameterReader::tensor(std::string_view name, at::IntArrayRef expected, at::ScalarType dtype) const {
  const std::string full = full_name(name);
  const weights::TensorInfo& info = source_->at(full);
  if (!std::ranges::equal(info.shape, expected)) {
    throw weights::WeightError(info.file + ": tensor '" + full + "' has shape " + shape_text(info.shape) +
                               ", expected " + shape_text(expected) +
                               "; do the config and the weights belong together?");
  }
  {
    const std::lock_guard lock(record_->mutex);
    record_->read.insert(full);
  }
  const at::ScalarType stored = scalar_type(info.dtype);
  const auto options = at::TensorOptions().dtype(stored);
  const weights::TensorBytes data = weights::read(info);
  // The deleter holds the source: the mapping outlives every view of it.
  at::Tensor view = at::from_blob(
      const_cast<std::byte*>(data.bytes.data()), info.shape, [source = source_, owned = data.owned](void*) {}, options);
  const bool aligned = reinterpret_cast<std::uintptr_t>(data.bytes.data()) % c10::elementSize(stored) == 0;
  if (!aligned) {
    at::Tensor copy = at::empty(info.shape, options);
    std::ranges::copy(data.bytes, static_cast<std::byte*>(copy.data_ptr()));
    view = copy;
  }
  // Converted there: a GPU does it in no time.
  return placement_.device.is_cuda() ? upload(view, placement_.device).to(dtype) : view.to(dtype);
}

bool ParameterReader::has(std::string_view name) const {
  return source_->find(full_name(name)) != nullptr;
}

std::vector<std::int64_t> ParameterReader::shape(std::string_view name) const {
  return source_->at(full_name(name)).shape;
}

void ParameterReader::ignore(std::string_view name) const {
  const std::lock_guard lock(record_->mutex);
  record_->read.insert(full_name(name));
}

void ParameterReader::ignore_below(std::string_view prefix) const {
  const std::string full = full_name(prefix) + ".";
  const std::lock_guard lock(record_->mutex);
  for (const std::string& name : source_->names()) {
    if (name.starts_with(full)) record_->read.insert(name);
  }
}

void ParameterReader::expect_all_read() const {
  const std::lock_guard lock(record_->mutex);
  std::vector<std::string> unknown;
  for (const std::string& name : source_->names()) {
    if (!record_->read.contains(name)) unknown.push_back(name);
  }
  if (unknown.empty()) return;
  std::string message = source_->path().string() + ": " + std::to_string(unknown.size()) +
                        " tensors that this architecture does not have:";
  for (std::size_t i = 0; i < std::min<std::size_t>(unknown.size(), 10); ++i) message += " " + unknown[i];
  if (unknown.size() > 10) message += " ...";
  throw weights::WeightError(message + "; does the config name the right architecture?");
}

}  // namespace reelfarm::nn
