#pragma once

#include <functional>
#include <optional>

#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// Calls `see` with every event still kept from `since` on, in order. Ends with the last event there is now.
void scan_events(const queue::StoreOptions& options, queue::ServerTime since,
                 const std::function<void(const queue::Event&)>& see);

/// When the oldest event that is still kept happened; nothing when there is none.
std::optional<queue::ServerTime> oldest_event(const queue::StoreOptions& options);

}  // namespace reelfarm::cli
