#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/why/reasons.hpp"

namespace reelfarm::why {

std::string_view to_string(ReasonCode code);

/// One line for people. `now` is the server's.
std::string words_of(const Reason& reason, queue::ServerTime now);

/// {"reason", "text"} and, where they are known, "task", "job", "owner", "host", "bar", "count", "limit", "detail",
/// "wanted", "since_ms", "until_ms".
nlohmann::json json_of(const Reason& reason, queue::ServerTime now);

}  // namespace reelfarm::why
