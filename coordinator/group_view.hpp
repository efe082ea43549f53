#pragma once

#include <nlohmann/json_fwd.hpp>

#include "queue/group.hpp"

namespace reelfarm::coordinator {

/// "gone", "idle" or "busy".
const char* stitcher_state(const queue::StitcherRecord& stitcher);

/// As `reelfarm groups --json` prints them. `now` is the server's.
nlohmann::json to_json(const queue::GroupRecord& group, queue::ServerTime now);
nlohmann::json to_json(const queue::StitcherRecord& stitcher, queue::ServerTime now);

}  // namespace reelfarm::coordinator
