#include "pipeline/windows/seeds.hpp"

namespace reelfarm::windows {
namespace {

std::uint64_t mix(std::uint64_t state) {
  std::uint64_t z = state + 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t window_seed(std::uint64_t job_seed, std::uint64_t window, std::uint64_t take) {
  return mix(mix(mix(job_seed) ^ window) ^ take);
}

std::uint64_t variant_seed(std::uint64_t seed, std::uint64_t variant) {
  return seed + variant;
}

}  // namespace reelfarm::windows
