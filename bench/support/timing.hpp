#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace reelfarm::bench {

/// Wall-clock seconds of work().
template <typename Work>
double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The middle one, of an even number the upper. At least one.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace reelfarm::bench
