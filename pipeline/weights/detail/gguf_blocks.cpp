#include "pipeline/weights/detail/gguf_blocks.hpp"

#include <array>
#include <cstring>

#include "pipeline/weights/detail/float_bits.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr std::size_t kSuper = 256;  // elements of a block of the K types
constexpr std::size_t kChunk = 32;   // elements that share a scale in Q8_0, Q4_K and Q5_K

/// The bytes of one block, and where its values go.
class Block {
 public:
  Block(const std::byte* bytes, std::byte* out) : bytes_(bytes), out_(out) {}

  unsigned byte(std::size_t at) const { return std::to_integer<unsigned>(bytes_[at]); }
  int signed_byte(std::size_t at) const {
    const auto value = static_cast<int>(byte(at));
    return value < 128 ? value : value - 256;
  }
  float half(std::size_t at) const { return from_f16(static_cast<std::uint16_t>(byte(at) | byte(at + 1) << 8)); }
  void put(std::size_t element, float value) const {
    const std::uint16_t bits = to_bf16(value);
    std::memcpy(out_ + element * sizeof bits, &bits, sizeof bits);
  }

 private:
  const std::byte* bytes_;
  std::byte* out_;
};

template <std::size_t kElements, std::size_t kBytes, void (*kDecode)(const Block&)>
void decode_all(std::span<const std::byte> blocks, std::span<std::byte> out) {
  for (std::size_t i = 0; i < blocks.size() / kBytes; ++i)
    kDecode(Block(blocks.data() + i * kBytes, out.data() + i * kElements * sizeof(std::uint16_t)));
}

/// A scale, and 32 signed bytes.
void q8_0(const Block& block) {
  const float scale = block.half(0);
  for (std::size_t i = 0; i < kChunk; ++i) block.put(i, scale * static_cast<float>(block.signed_byte(2 + i)));
}

struct ScaleAndMinimum {
  float scale, minimum;
};

/// Eight pairs of 6 bits in 12 bytes; the upper two bits of the last four lie above the first eight numbers.
ScaleAndMinimum six_bits(const Block& block, std::size_t at, std::size_t index) {
  const auto byte = [&](std::size_t i) { return block.byte(at + i); };
  unsigned scale = byte(index) & 63U, minimum = index < 4 ? byte(index + 4) & 63U : 0;
  if (index >= 4) {
    scale = (byte(index + 4) & 15U) | (byte(index - 4) >> 6) << 4;
    minimum = byte(index + 4) >> 4 | (byte(index) >> 6) << 4;
  }
  return {block.half(0) * static_cast<float>(scale), block.half(2) * static_cast<float>(minimum)};
}

/// Two scales, twelve bytes of scales and minima; with a fifth bit of each element 32 bytes of those; nibbles.
template <bool kFifthBit>
void q45_k(const Block& block) {
  constexpr std::size_t kScales = 4, kHigh = 16, kLow = kFifthBit ? 48 : 16;
  for (std::size_t chunk = 0; chunk < kSuper / kChunk; ++chunk) {
    const auto [scale, minimum] = six_bits(block, kScales, chunk);
    for (std::size_t i = 0; i < kChunk; ++i) {
      unsigned number = block.byte(kLow + chunk / 2 * kChunk + i) >> (chunk % 2 * 4) & 15U;
      if (kFifthBit) number |= (block.byte(kHigh + i) >> chunk & 1U) << 4;
      block.put(chunk * kChunk + i, scale * static_cast<float>(number) - minimum);
    }
  }
}

/// Lower four bits of 256 numbers, upper two bits, 16 signed scales, their scale.
void q6_k(const Block& block) {
  constexpr std::size_t kHigh = 128, kScales = 192, kScale = 208;
  const float whole = block.half(kScale);
  for (std::size_t element = 0; element < kSuper; ++element) {
    const std::size_t half = element / 128, quarter = element % 128 / 32, i = element % 32;
    const unsigned low = block.byte(half * 64 + quarter % 2 * 32 + i) >> (quarter / 2 * 4) & 15U;
    const unsigned high = block.byte(kHigh + half * 32 + i) >> (quarter * 2) & 3U;
    const float scale = whole * static_cast<float>(block.signed_byte(kScales + element / 16));
    block.put(element, scale * static_cast<float>(static_cast<int>(low | high << 4) - 32));
  }
}

constexpr std::array<GgufType, 7> kTypes{{{0, "F32", 1, 4, DType::f32, nullptr},
                                          {1, "F16", 1, 2, DType::f16, nullptr},
                                          {30, "BF16", 1, 2, DType::bf16, nullptr},
                                          {8, "Q8_0", 32, 34, DType::bf16, decode_all<32, 34, q8_0>},
                                          {12, "Q4_K", 256, 144, DType::bf16, decode_all<256, 144, q45_k<false>>},
                                          {13, "Q5_K", 256, 176, DType::bf16, decode_all<256, 176, q45_k<true>>},
                                          {14, "Q6_K", 256, 210, DType::bf16, decode_all<256, 210, q6_k>}}};

}  // namespace

const GgufType* gguf_type(std::uint32_t id) {
  for (const GgufType& type : kTypes)
    if (type.id == id) return &type;
  return nullptr;
}

std::string_view known_gguf_types() {
  return "F32, F16, BF16, Q8_0, Q4_K, Q5_K, Q6_K";
}

}  // namespace reelfarm::weights::detail
