#include <cstring>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/key_map.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {
namespace {

[[noreturn]] void fail(const TensorInfo& tensor, const std::string& message) {
  throw WeightError("weights: " + tensor.file + ": tensor " + shown(tensor.name) + ": " + message + ", found shape " +
                    shown(nlohmann::json(tensor.shape)));
}

/// Rows [begin, begin + count) of a tensor. Where a row is a whole number of stored blocks nothing else is read.
TensorInfo rows(const TensorInfo& tensor, std::int64_t begin, std::int64_t count, const std::string& name) {
  TensorInfo part{name, tensor.dtype, tensor.shape, {}, tensor.file};
  part.shape[0] = count;
  const auto all = static_cast<std::uint64_t>(tensor.shape[0]);
  const std::uint64_t row = part.byte_count() / static_cast<std::uint64_t>(count);
  const std::uint64_t stored = tensor.bytes.size() / all;
  if (stored > 0 && stored * all == tensor.bytes.size() && stored % tensor.block_bytes == 0) {
    part.bytes =
        tensor.bytes.subspan(static_cast<std::uint64_t>(begin) * stored, static_cast<std::uint64_t>(count) * stored);
    part.decode = tensor.decode;
    part.block_bytes = tensor.block_bytes;
    return part;
  }
  part.decode = [tensor, skip = static_cast<std::uint64_t>(begin) * row](std::span<const std::byte>,
                                                                         std::span<std::byte> out) {
    const TensorBytes whole = read(tensor);
    std::memcpy(out.data(), whole.bytes.data() + skip, out.size());
  };
  return part;
}

std::vector<TensorInfo> split(const TensorInfo& tensor, const KeyRule& rule, const std::vector<std::int64_t>& counts) {
  std::vector<TensorInfo> parts;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < counts.size(); begin += counts[i], ++i)
    parts.push_back(rows(tensor, begin, counts[i], rule.ours[i]));
  return parts;
}

TensorInfo swapped(const TensorInfo& tensor, const std::string& name) {
  TensorInfo turned = tensor;
  turned.name = name;
  turned.bytes = {};
  turned.decode = [tensor](std::span<const std::byte>, std::span<std::byte> out) {
    const TensorBytes whole = read(tensor);
    const std::size_t half = out.size() / 2;
    std::memcpy(out.data(), whole.bytes.data() + half, half);
    std::memcpy(out.data() + half, whole.bytes.data(), half);
  };
  return turned;
}

TensorInfo reshaped(TensorInfo tensor, const std::string& name, std::vector<std::int64_t> shape) {
  tensor.name = name;
  tensor.shape = std::move(shape);
  return tensor;
}

}  // namespace

std::vector<TensorInfo> cut(const TensorInfo& tensor, const KeyRule& rule, std::int64_t width) {
  const std::vector<std::int64_t>& shape = tensor.shape;
  const std::int64_t first = shape.empty() ? 0 : shape[0];
  switch (rule.cut) {
    case Cut::whole:
      return {reshaped(tensor, rule.ours[0], shape)};
    case Cut::thirds:
      if (first == 0 || first % 3 != 0) fail(tensor, "expected rows of query, key and value, as many of each");
      return split(tensor, rule, {first / 3, first / 3, first / 3});
    case Cut::linear1:
      if (width < 1 || first <= 3 * width)
        fail(tensor, "expected 3 x " + std::to_string(width) + " rows of query, key and value and those of the MLP");
      return split(tensor, rule, {width, width, width, first - 3 * width});
    case Cut::swapped:
      if (first == 0 || first % 2 != 0) fail(tensor, "expected rows of shift and scale, as many of each");
      return {swapped(tensor, rule.ours[0])};
    case Cut::matrix:
      if (shape.size() < 2 || tensor.element_count() == 0 ||
          tensor.element_count() != static_cast<std::uint64_t>(shape[0] * shape[1]))
        fail(tensor, "expected a convolution of one element");
      return {reshaped(tensor, rule.ours[0], {shape[0], shape[1]})};
    case Cut::patch: {
      if (shape.size() == 5) return {reshaped(tensor, rule.ours[0], shape)};
      const auto count = static_cast<std::int64_t>(tensor.element_count());
      if (width < 1 || count == 0 || count % (4 * width) != 0)
        fail(tensor, "expected " + std::to_string(width) + " x channels x 1 x 2 x 2 elements");
      return {reshaped(tensor, rule.ours[0], {width, count / (4 * width), 1, 2, 2})};
    }
  }
  return {};
}

}  // namespace reelfarm::weights::detail
