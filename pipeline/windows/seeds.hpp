#pragma once

#include <cstdint>

namespace reelfarm::windows {

/// Stands for the window when the seed is that of the first frame made from text.
inline constexpr std::uint64_t kImageSeedWindow = ~std::uint64_t{0};
/// Takes count from 1; `reelfarm render` makes the same noise as the first take of a farm's job with its seed.
inline constexpr std::uint64_t kFirstTake = 1;

/// The seed of one window: hash(job seed, window, take). The same for ever: finished videos name their seeds.
///
/// h0 = mix(job_seed), h1 = mix(h0 ^ window), result = mix(h1 ^ take), all in unsigned 64-bit arithmetic, where
/// mix(x) is one output of SplitMix64 from state x: z = x + 0x9E3779B97F4A7C15; z = (z ^ z>>30) * 0xBF58476D1CE4E5B9;
/// z = (z ^ z>>27) * 0x94D049BB133111EB; z ^ z>>31. mix is a bijection, so two windows of one take, or two takes of
/// one window, never share a seed. Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014; constants as in Java's SplittableRandom.
std::uint64_t window_seed(std::uint64_t job_seed, std::uint64_t window, std::uint64_t take);

/// The job seed of one variant of a request that asks for several: variant 0 keeps `seed`.
std::uint64_t variant_seed(std::uint64_t seed, std::uint64_t variant);

}  // namespace reelfarm::windows
