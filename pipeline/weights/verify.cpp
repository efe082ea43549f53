#include "pipeline/weights/verify.hpp"

#include <algorithm>
#include <cstring>

#include "pipeline/weights/detail/expected_tensors.hpp"
#include "pipeline/weights/detail/other_models.hpp"

namespace reelfarm::weights {
namespace {

constexpr std::size_t kMaxProblems = 100;

// Values a block, so that the counting loop below has no branch and vectorizes; the index is looked for only in a block
// that has a bad value.
constexpr std::uint64_t kBlock = 4096;

template <typename Word, typename IsBad>
BadValues scan(std::span<const std::byte> bytes, IsBad is_bad) {
  // Tensor data need not be aligned: copy each value out.
  const auto word_at = [&](std::uint64_t index) {
    Word word;
    std::memcpy(&word, bytes.data() + index * sizeof(Word), sizeof(Word));
    return word;
  };
  const std::uint64_t values = bytes.size() / sizeof(Word);
  BadValues bad;
  for (std::uint64_t begin = 0; begin < values; begin += kBlock) {
    const std::uint64_t end = std::min(begin + kBlock, values);
    std::uint32_t count = 0;
    for (std::uint64_t i = begin; i < end; ++i) count += is_bad(word_at(i)) ? 1 : 0;
    if (count > 0 && bad.count == 0) {
      bad.first_index = begin;
      while (!is_bad(word_at(bad.first_index))) ++bad.first_index;
    }
    bad.count += count;
  }
  return bad;
}

/// True when all exponent bits are set: infinity or NaN.
template <typename Word>
BadValues scan_exponent(std::span<const std::byte> bytes, Word exponent) {
  return scan<Word>(bytes, [exponent](Word word) { return (word & exponent) == exponent; });
}

}  // namespace

BadValues find_bad_values(const TensorInfo& tensor) {
  const TensorBytes stored = read(tensor);
  const std::span<const std::byte> bytes = stored.bytes;
  switch (tensor.dtype) {
    case DType::f64:
      return scan_exponent<std::uint64_t>(bytes, 0x7FF0'0000'0000'0000);
    case DType::f32:
      return scan_exponent<std::uint32_t>(bytes, 0x7F80'0000);
    case DType::f16:
      return scan_exponent<std::uint16_t>(bytes, 0x7C00);
    case DType::bf16:
      return scan_exponent<std::uint16_t>(bytes, 0x7F80);
    case DType::f8_e5m2:
      return scan_exponent<std::uint8_t>(bytes, 0x7C);
    case DType::f8_e4m3:  // the "fn" form: no infinity, one NaN a sign
      return scan_exponent<std::uint8_t>(bytes, 0x7F);
    case DType::boolean:
      return scan<std::uint8_t>(bytes, [](std::uint8_t value) { return value > 1; });
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u8:
      return {};
  }
  return {};
}

void verify_source(const std::string& part, const TensorSource& source, Verification& result) {
  source.check_sums();
  const std::vector<std::string> names = source.names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    const TensorInfo& tensor = source.at(name);
    if (i + 1 < names.size()) prefetch(source.at(names[i + 1]));
    ++result.tensors;
    result.bytes += tensor.byte_count();
    const BadValues bad = find_bad_values(tensor);
    if (bad.count > 0 && result.problems.size() < kMaxProblems)
      result.problems.push_back(part + ": " + tensor.file + ": tensor \"" + name + "\": " + std::to_string(bad.count) +
                                " of " + std::to_string(tensor.element_count()) +
                                " values are not finite, the first at index " + std::to_string(bad.first_index));
  }
}

std::vector<std::string> wrong_tensors(const Bundle& bundle, const std::string& part) {
  const auto source = bundle.tensors(part);
  const Config config = bundle.config(part);
  if (part.starts_with("transformer")) {
    std::vector<std::string> lines = detail::expected_transformer(config).differences(*source, true);
    const std::string other = lines.empty() ? "" : detail::looks_like(source->names());
    if (!other.empty()) lines.insert(lines.begin(), source->path().string() + ": it looks like " + other);
    return lines;
  }
  if (part == "vae") return detail::expected_vae(config).differences(*source, true);
  const auto kind = bundle.classes().find(part);
  if (kind == bundle.classes().end())
    throw WeightError("weights: " + bundle.path().string() + ": model_index.json gives no class for " + part);
  // Text encoders come with heads and buffers that rendering does not use.
  return detail::expected_text_encoder(kind->second, config, source->names()).differences(*source, false);
}

Verification verify(const Bundle& bundle, const std::function<void(const std::string&, std::uint64_t)>& on_part) {
  Verification result;
  result.problems = bundle.missing_parts();
  for (const std::string& part : bundle.weighted_components()) {
    try {
      const auto source = bundle.tensors(part);
      if (on_part) on_part(part, source->total_bytes());
      for (std::string& line : wrong_tensors(bundle, part))
        if (result.problems.size() < kMaxProblems) result.problems.push_back(part + ": " + std::move(line));
      verify_source(part, *source, result);
    } catch (const WeightError& error) {
      result.problems.push_back(part + ": " + error.what());
    }
  }
  return result;
}

}  // namespace reelfarm::weights
