#pragma once

#include <functional>
#include <optional>

#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

/// Calls `see` with every event still kept from `since` on, in order. Ends with the last event there is now.
void scan_events(const StoreOptions& options, ServerTime since, const std::function<void(const Event&)>& see);

/// When the oldest event that is still kept happened; nothing when there is none.
std::optional<ServerTime> oldest_event(const StoreOptions& options);

}  // namespace reelfarm::queue
