#include "coordinator/disk.hpp"

#include <spdlog/spdlog.h>

namespace reelfarm::coordinator {

constexpr double kHysteresis = 1;  // percent

std::optional<DiskSpace> measure_disk(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error || space.capacity == 0) return std::nullopt;
  return DiskSpace{space.available, space.capacity};
}

bool is_full(const DiskSpace& space, double high_water, bool was_full) {
  const double used = 100 - 100 * static_cast<double>(space.free) / static_cast<double>(space.capacity);
  return used > (was_full ? high_water - kHysteresis : high_water);
}

void watch_disk(queue::JobStore& store, const std::filesystem::path& folder, double high_water,
                const MeasureDisk& measure) {
  const std::optional<DiskSpace> space = measure(folder);
  if (!space) return;
  const std::optional<queue::DiskState> before = store.disk_state();
  const bool was_full = before && before->full;
  const bool full = is_full(*space, high_water, was_full);
  store.report_disk({.full = full, .free = space->free, .capacity = space->capacity, .high_water = high_water});
  if (full == was_full) return;
  spdlog::warn("data={} disk={} free_mib={} of_mib={} high_water={}", folder.string(), full ? "full" : "room",
               space->free >> 20, space->capacity >> 20, high_water);
}

}  // namespace reelfarm::coordinator
