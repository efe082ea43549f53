#include "pipeline/weights/detail/eight_bit.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "pipeline/weights/cpu_clones.hpp"
#include "pipeline/weights/detail/float_bits.hpp"
#include "pipeline/weights/detail/widen.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr float kLargestI8 = 127.0F;
constexpr float kLargestE4m3 = 448.0F;

REELFARM_CPU_CLONES
float largest_magnitude(const float* row, std::size_t count) {
  float largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(row[i]));
  return largest;
}

/// To nearest even, for magnitudes below 2^22: the sum has no room for a fraction.
REELFARM_INLINE float rounded(float value) {
  constexpr float kNoFraction = 0x1.8p23F;
  return (value + kNoFraction) - kNoFraction;
}

REELFARM_CPU_CLONES
void to_i8(const float* row, float scale, std::int8_t* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<std::int8_t>(std::clamp(rounded(row[i] / scale), -kLargestI8, kLargestI8));
}

/// The two results of one matrix.
class Quantising {
 public:
  Quantising(TensorInfo weight, DType dtype) : weight_(std::move(weight)), dtype_(dtype) {}

  void values(std::span<std::byte> out) {
    const std::lock_guard lock(mutex_);
    make(out);
  }
  void scales(std::span<std::byte> out) {
    const std::lock_guard lock(mutex_);
    if (scales_.empty()) {
      std::vector<std::byte> dropped(weight_.element_count());
      make(dropped);
    }
    std::memcpy(out.data(), scales_.data(), out.size());
  }

  double error = 0;

 private:
  void make(std::span<std::byte> out) {
    const TensorBytes stored = read(weight_);
    const auto rows = static_cast<std::size_t>(weight_.shape[0]), columns = static_cast<std::size_t>(weight_.shape[1]);
    const std::size_t stored_row = columns * size_of(weight_.dtype);
    std::vector<float> row(columns), back(columns);
    double difference = 0, size = 0;
    scales_.resize(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      widen(weight_.dtype, stored.bytes.subspan(r * stored_row, stored_row), row);
      const std::span<std::byte> made = out.subspan(r * columns, columns);
      scales_[r] = quantise(row, made);
      widen(dtype_, made, back);
      for (std::size_t i = 0; i < columns; ++i) {
        const double wrong = static_cast<double>(back[i]) * scales_[r] - row[i];
        difference += wrong * wrong;
        size += static_cast<double>(row[i]) * row[i];
      }
    }
    error = size > 0 ? std::sqrt(difference / size) : 0.0;
    release(weight_);
  }

  float quantise(const std::vector<float>& row, std::span<std::byte> out) const {
    const float largest = largest_magnitude(row.data(), row.size());
    if (!std::isfinite(largest))
      throw WeightError("weights: " + weight_.file + ": tensor \"" + weight_.name +
                        "\" has values that are not finite");
    const float scale = largest > 0 ? largest / (dtype_ == DType::i8 ? kLargestI8 : kLargestE4m3) : 1.0F;
    if (dtype_ == DType::i8) {
      to_i8(row.data(), scale, reinterpret_cast<std::int8_t*>(out.data()), row.size());
      return scale;
    }
    for (std::size_t i = 0; i < row.size(); ++i) out[i] = static_cast<std::byte>(to_f8_e4m3(row[i] / scale));
    return scale;
  }

  TensorInfo weight_;
  DType dtype_;
  std::mutex mutex_;
  std::vector<float> scales_;
};

}  // namespace

EightBitRows eight_bit_rows(const TensorInfo& weight, DType dtype) {
  const auto work = std::make_shared<Quantising>(weight, dtype);
  EightBitRows made;
  made.values = {weight.name, dtype, weight.shape, {}, weight.file};
  made.values.decode = [work](std::span<const std::byte>, std::span<std::byte> out) { work->values(out); };
  made.scales = {weight.name + "_scale", DType::f32, {weight.shape[0], 1}, {}, weight.file};
  made.scales.decode = [work](std::span<const std::byte>, std::span<std::byte> out) { work->scales(out); };
  made.error = {work, &work->error};
  return made;
}

}  // namespace reelfarm::weights::detail
