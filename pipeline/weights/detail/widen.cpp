#include "pipeline/weights/detail/widen.hpp"

#include <cstring>

#include "pipeline/weights/detail/float_bits.hpp"

namespace reelfarm::weights::detail {
namespace {

template <typename Word, typename Convert>
void each(std::span<const std::byte> stored, std::span<float> out, Convert convert) {
  Word word;
  for (std::size_t i = 0; i < out.size(); ++i) {
    // Stored numbers need not be aligned.
    std::memcpy(&word, stored.data() + i * sizeof word, sizeof word);
    out[i] = convert(word);
  }
}

}  // namespace

const std::array<float, 256>& values_of_bytes(DType dtype) {
  const auto table = [](auto convert) {
    std::array<float, 256> values{};
    for (unsigned i = 0; i < values.size(); ++i) values[i] = convert(static_cast<std::uint8_t>(i));
    return values;
  };
  static const std::array<float, 256> e4m3 = table(from_f8_e4m3), e5m2 = table(from_f8_e5m2);
  static const std::array<float, 256> i8 =
      table([](std::uint8_t bits) { return static_cast<float>(static_cast<std::int8_t>(bits)); });
  return dtype == DType::i8 ? i8 : dtype == DType::f8_e4m3 ? e4m3 : e5m2;
}

bool can_widen(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16 || dtype == DType::f8_e4m3 ||
         dtype == DType::f8_e5m2 || dtype == DType::i8;
}

void widen(DType dtype, std::span<const std::byte> stored, std::span<float> out) {
  if (dtype == DType::f32) {
    std::memcpy(out.data(), stored.data(), out.size_bytes());
  } else if (dtype == DType::bf16) {
    each<std::uint16_t>(stored, out, from_bf16);
  } else if (dtype == DType::f16) {
    each<std::uint16_t>(stored, out, from_f16);
  } else if (can_widen(dtype)) {
    each<std::uint8_t>(stored, out, [&table = values_of_bytes(dtype)](std::uint8_t byte) { return table[byte]; });
  } else {
    throw WeightError("weights: numbers of type " + std::string(name_of(dtype)) + " are no weights");
  }
}

void narrow(std::span<const float> values, DType dtype, std::span<std::byte> out) {
  if (dtype == DType::f32) {
    std::memcpy(out.data(), values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = to_bf16(values[i]);
    std::memcpy(out.data() + i * sizeof bits, &bits, sizeof bits);
  }
}

std::vector<float> floats(const TensorInfo& tensor, const std::string& what) {
  if (tensor.dtype != DType::f32 && tensor.dtype != DType::bf16 && tensor.dtype != DType::f16)
    throw WeightError(what + ": of type " + std::string(name_of(tensor.dtype)) + ", expected F32, BF16 or F16");
  std::vector<float> values(tensor.element_count());
  widen(tensor.dtype, read(tensor).bytes, values);
  return values;
}

}  // namespace reelfarm::weights::detail
