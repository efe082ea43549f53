#include "pipeline/nn/detail/add_rows.hpp"

#include "pipeline/nn/detail/vector_math.hpp"

namespace reelfarm::nn::detail {

REELFARM_CPU_CLONES
void add_row(std::uint16_t* __restrict sum, const std::uint16_t* __restrict term, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) store(widen(sum[i]) + widen(term[i]), sum + i);
}

}  // namespace reelfarm::nn::detail
