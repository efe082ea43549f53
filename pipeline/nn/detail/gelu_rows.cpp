#include "pipeline/nn/detail/gelu_rows.hpp"

#include "pipeline/nn/detail/vector_math.hpp"

namespace reelfarm::nn::detail {
namespace {

template <typename T>
REELFARM_INLINE void gelu_body(T* row, std::int64_t columns) {
  constexpr float kMinusTwiceRootTwoOverPi = -1.5957691216F;
  for (std::int64_t i = 0; i < columns; ++i) {
    const float x = widen(row[i]);
    store(x / (1.0F + exponential(kMinusTwiceRootTwoOverPi * (x + 0.044715F * x * x * x))), row + i);
  }
}

}  // namespace

REELFARM_CPU_CLONES
void gelu_row(float* row, std::int64_t columns) {
  gelu_body(row, columns);
}

REELFARM_CPU_CLONES
void gelu_row(std::uint16_t* row, std::int64_t columns) {
  gelu_body(row, columns);
}

}  // namespace reelfarm::nn::detail
