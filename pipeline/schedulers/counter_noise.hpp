#pragma once

#include <cstdint>
#include <span>

namespace reelfarm::schedulers {

/// A box in latent space: half-open ranges that start at the given index.
struct NoiseRegion {
  std::int64_t first_channel = 0, channels = 0;
  std::int64_t first_frame = 0, frames = 0;  // latent frames
  std::int64_t first_row = 0, rows = 0;
  std::int64_t first_column = 0, columns = 0;

  std::int64_t count() const { return channels * frames * rows * columns; }
};

/// Fills `out` with standard normal noise, (channels, frames, rows, columns) row-major.
///
/// Every value is a function of (seed, frame, channel, row, column) alone: any rank makes its own slice, and a slice
/// made alone equals the same part of the whole. Philox4x32-10 with the seed as key, then Box-Muller in double and one
/// rounding to float: two C libraries, whose log, sin and cos may differ in the last bit of a double, give floats that
/// are equal but for rare last bits. Throws std::invalid_argument when `out` has another size than the region, an
/// index is negative or one exceeds 32 bits.
void fill_normal(std::uint64_t seed, const NoiseRegion& region, std::span<float> out);

}  // namespace reelfarm::schedulers
