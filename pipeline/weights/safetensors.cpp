#include "pipeline/weights/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <tuple>

#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and used as it is mapped");

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadataKey = "__metadata__";

struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
};

std::string tensor_prefix(const std::filesystem::path& file, const std::string& name) {
  return "weights: " + file.string() + ": tensor " + detail::shown(name);
}

std::uint64_t unsigned_integer(const json& value, const std::string& what) {
  if (!value.is_number_unsigned())
    throw WeightError(what + ": expected a non-negative integer, found " + detail::shown(value));
  return value.get<std::uint64_t>();
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return detail::shown(json(shape));
}

void check_keys(const json& entry, const std::string& what) {
  if (!entry.is_object()) throw WeightError(what + ": expected an object, found " + detail::shown(entry));
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (!entry.contains(key)) throw WeightError(what + ": key \"" + key + "\" is missing");
  for (const auto& item : entry.items())
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets")
      throw WeightError(what + ": unknown key " + detail::shown(item.key()));
}

DType read_dtype(const json& value, const std::string& what) {
  if (!value.is_string()) throw WeightError(what + ": dtype: expected a string, found " + detail::shown(value));
  const auto dtype = dtype_from_name(value.get_ref<const std::string&>());
  if (!dtype)
    throw WeightError(what + ": dtype: expected one of " + known_dtype_names() + ", found " + detail::shown(value));
  return *dtype;
}

std::vector<std::int64_t> read_shape(const json& value, const std::string& what) {
  if (!value.is_array()) throw WeightError(what + ": shape: expected an array, found " + detail::shown(value));
  std::vector<std::int64_t> shape;
  for (const json& extent : value) {
    const std::uint64_t number = unsigned_integer(extent, what + ": shape");
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      throw WeightError(what + ": shape " + detail::shown(value) + " overflows 64 bits");
    shape.push_back(static_cast<std::int64_t>(number));
  }
  return shape;
}

Extent read_offsets(const json& value, std::uint64_t data_bytes, const std::string& what) {
  if (!value.is_array() || value.size() != 2)
    throw WeightError(what + ": data_offsets: expected [begin, end], found " + detail::shown(value));
  const Extent extent{unsigned_integer(value[0], what + ": data_offsets"),
                      unsigned_integer(value[1], what + ": data_offsets")};
  if (extent.begin > extent.end)
    throw WeightError(what + ": data_offsets " + detail::shown(value) + " end before they begin");
  if (extent.end > data_bytes)
    throw WeightError(what + ": data_offsets " + detail::shown(value) + " end beyond the file's " +
                      std::to_string(data_bytes) + " data bytes (is the file truncated?)");
  return extent;
}

std::map<std::string, std::string> read_metadata(const json& value, const std::filesystem::path& file) {
  const std::string what = "weights: " + file.string() + ": " + kMetadataKey;
  if (!value.is_object()) throw WeightError(what + ": expected an object of strings, found " + detail::shown(value));
  std::map<std::string, std::string> metadata;
  for (const auto& item : value.items()) {
    if (!item.value().is_string())
      throw WeightError(what + ": " + detail::shown(item.key()) + ": expected a string, found " +
                        detail::shown(item.value()));
    metadata.emplace(item.key(), item.value().get<std::string>());
  }
  return metadata;
}

/// Reads the length and the JSON behind it. Returns the header and sets `data` to what follows it.
json read_header(const std::filesystem::path& file, std::span<const std::byte> bytes,
                 std::span<const std::byte>& data) {
  const std::string what = "weights: " + file.string();
  if (bytes.size() < kLengthBytes)
    throw WeightError(what + ": " + std::to_string(bytes.size()) +
                      " bytes, expected at least 8: not a safetensors file, or truncated");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes)
    throw WeightError(what + ": header length " + std::to_string(length) + ", expected at most " +
                      std::to_string(kMaxHeaderBytes) + ": not a safetensors file");
  if (length > bytes.size() - kLengthBytes)
    throw WeightError(what + ": header length " + std::to_string(length) + ", but only " +
                      std::to_string(bytes.size() - kLengthBytes) + " bytes follow: truncated");
  const auto text = bytes.subspan(kLengthBytes, length);
  data = bytes.subspan(kLengthBytes + length);
  if (text.empty() || text.front() != std::byte{'{'})
    throw WeightError(what + ": the header does not begin with '{': not a safetensors file");
  return detail::parse_strict_json({reinterpret_cast<const char*>(text.data()), text.size()}, what + ": header");
}

/// Every data byte belongs to exactly one tensor.
void check_layout(const std::filesystem::path& file, std::vector<std::pair<Extent, const TensorInfo*>> extents,
                  std::uint64_t data_bytes) {
  std::sort(extents.begin(), extents.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.begin, a.first.end) < std::tie(b.first.begin, b.first.end);
  });
  std::uint64_t expected = 0;
  const TensorInfo* previous = nullptr;
  for (const auto& [extent, tensor] : extents) {
    if (extent.begin != expected) {
      const std::string at = tensor_prefix(file, tensor->name) + ": begins at data byte " +
                             std::to_string(extent.begin) + ", expected " + std::to_string(expected);
      if (extent.begin > expected) throw WeightError(at + ": a hole that belongs to no tensor");
      throw WeightError(at + ": overlaps tensor " + detail::shown(previous->name));
    }
    expected = extent.end;
    previous = tensor;
  }
  if (expected != data_bytes)
    throw WeightError("weights: " + file.string() + ": " + std::to_string(data_bytes - expected) +
                      " trailing bytes belong to no tensor (expected " + std::to_string(expected) +
                      " data bytes, found " + std::to_string(data_bytes) + ")");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : TensorFile(file) {
  std::span<const std::byte> data;
  const json header = read_header(file, mapping_.bytes(), data);
  tensors_.reserve(header.size());
  std::vector<Extent> extents;
  for (const auto& item : header.items()) {
    if (item.key() == kMetadataKey) {
      metadata_ = read_metadata(item.value(), file);
      continue;
    }
    const std::string what = tensor_prefix(file, item.key());
    check_keys(item.value(), what);
    const DType dtype = read_dtype(item.value()["dtype"], what);
    std::vector<std::int64_t> shape = read_shape(item.value()["shape"], what);
    const Extent extent = read_offsets(item.value()["data_offsets"], data.size(), what);
    const auto expected = bytes_of(shape, size_of(dtype));
    if (!expected) throw WeightError(what + ": shape " + shape_text(shape) + " overflows 64 bits");
    if (*expected != extent.end - extent.begin)
      throw WeightError(what + ": " + std::string(name_of(dtype)) + " " + shape_text(shape) + " needs " +
                        std::to_string(*expected) + " bytes, data_offsets hold " +
                        std::to_string(extent.end - extent.begin));
    tensors_.push_back({item.key(), dtype, std::move(shape), data.subspan(extent.begin, *expected), file.string()});
    extents.push_back(extent);
  }
  std::vector<std::pair<Extent, const TensorInfo*>> owners;
  for (std::size_t i = 0; i < tensors_.size(); ++i) owners.emplace_back(extents[i], &tensors_[i]);
  check_layout(file, std::move(owners), data.size());
}

}  // namespace reelfarm::weights
