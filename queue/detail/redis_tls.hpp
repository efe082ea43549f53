#pragma once

#include "queue/redis_url.hpp"

struct redisContext;

namespace reelfarm::queue::detail {

/// Does the TLS handshake on a fresh connection, verifying the server's certificate against the system's authorities
/// (or SSL_CERT_FILE) and its name against url.host. Throws ConnectionError. Only for builds where tls_supported().
void start_tls(redisContext& context, const RedisUrl& url);

}  // namespace reelfarm::queue::detail
