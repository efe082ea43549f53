#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// The file system that DATA lies on, in bytes.
struct DiskSpace {
  std::uint64_t free = 0;  ///< that this user may still write
  std::uint64_t capacity = 0;
};

/// Nothing when the file system cannot tell.
using MeasureDisk = std::function<std::optional<DiskSpace>(const std::filesystem::path&)>;
std::optional<DiskSpace> measure_disk(const std::filesystem::path& folder);

/// Whether more than `high_water` percent of the disk is used. Once it was (`was_full`), until that is one percent
/// less: windows of one job must not come and go around the mark.
bool is_full(const DiskSpace& space, double high_water, bool was_full);

/// Measures the disk and tells the farm, which leases no image and no window while it is full.
void watch_disk(queue::JobStore& store, const std::filesystem::path& folder, double high_water,
                const MeasureDisk& measure = measure_disk);

}  // namespace reelfarm::coordinator
