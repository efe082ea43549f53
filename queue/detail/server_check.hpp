#pragma once

#include "queue/detail/redis_connection.hpp"

namespace reelfarm::queue::detail {

/// Refuses a server that cannot hold the queue: older than 6.2 (UnsupportedServerError), evicting keys, or, unless
/// `allow_volatile`, keeping nothing over a restart (UnsafeServerError).
void check_server(RedisConnection& connection, bool allow_volatile);

}  // namespace reelfarm::queue::detail
