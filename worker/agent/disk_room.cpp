#include "worker/agent/disk_room.hpp"

#include <limits>
#include <system_error>

namespace reelfarm::worker {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace

std::uint64_t bytes_of(const queue::TaskSpec& task) {
  constexpr std::uint64_t kChannels = 3;
  const std::uint64_t frames =
      task.kind == queue::TaskKind::image ? 1 : static_cast<std::uint64_t>(task.span.num_frames);
  const std::uint64_t pixels =
      static_cast<std::uint64_t>(task.render.width) * static_cast<std::uint64_t>(task.render.height);
  const std::uint64_t raw = frames * pixels * kChannels;
  return raw + raw / 4;
}

std::uint64_t DiskRoom::available() const {
  std::error_code error;
  const auto space = std::filesystem::space(data_, error);
  // A folder that is away is another complaint's business.
  return error ? std::numeric_limits<std::uint64_t>::max() : space.available;
}

bool DiskRoom::was_lacking(std::uint64_t bytes) {
  if (available() >= bytes) return false;
  wanted_ = bytes;
  return true;
}

std::string DiskRoom::complaint() {
  if (wanted_ == 0) return {};
  const std::uint64_t free = available();
  if (free >= wanted_) {
    wanted_ = 0;
    return {};
  }
  return "the disk of " + data_.string() + " is full: " + mebibytes(free) + " free, a window may need " +
         mebibytes(wanted_);
}

}  // namespace reelfarm::worker
