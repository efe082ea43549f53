#pragma once

#include <string>

#include "queue/detail/redis_connection.hpp"

namespace reelfarm::queue::detail {

/// Refuses a server that cannot hold the queue: older than 6.2 (UnsupportedServerError), evicting keys, or, unless
/// `allow_volatile`, keeping nothing over a restart (UnsafeServerError).
void check_server(RedisConnection& connection, bool allow_volatile);

/// Whether "7.0.15" is kLeastRedisVersion or newer; false for what is no version.
bool version_is_supported(const std::string& version);

/// One section of INFO, and of that one line "name:value"; empty when it is not there.
std::string info(RedisConnection& connection, const char* section);
std::string info_value(const std::string& info, const std::string& name);

}  // namespace reelfarm::queue::detail
