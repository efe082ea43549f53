#include "queue/event_scan.hpp"

#include <algorithm>
#include <string>

namespace reelfarm::queue {
namespace {

constexpr std::chrono::milliseconds kNoWait{0};
constexpr int kPiece = 2000;  // events a round trip

}  // namespace

void scan_events(const StoreOptions& options, ServerTime since, const std::function<void(const Event&)>& see) {
  // The reader starts after an id, and ids are "<milliseconds>-<count>".
  const std::int64_t before = std::max<std::int64_t>(since.time_since_epoch().count(), 1) - 1;
  EventReader events(options, std::to_string(before) + "-18446744073709551615");
  for (;;) {
    const auto found = events.read(kNoWait, kPiece);
    std::for_each(found.begin(), found.end(), see);
    // A farm at work never stops making events: a piece that is not full reaches the present.
    if (static_cast<int>(found.size()) < kPiece) return;
  }
}

std::optional<ServerTime> oldest_event(const StoreOptions& options) {
  const auto found = EventReader(options, "0").read(kNoWait, 1);
  return found.empty() ? std::nullopt : std::optional(found.front().time);
}

}  // namespace reelfarm::queue
