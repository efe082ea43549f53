#pragma once

#include <string>

namespace reelfarm::notify {

struct Receiver;

/// Throws ConfigError unless `url` is http:// or https:// with a host and without a user.
void check_webhook(const std::string& url, const std::string& where);

/// POSTs a notice. The request carries `Reelfarm-Id`, the same in every try, `Reelfarm-Time` (seconds since 1970) and,
/// with a secret, `Reelfarm-Signature: sha256=` and the HMAC of time, a dot and the body (RFC 2104), in hexadecimal.
/// https checks the certificate. Redirects are not followed. Gives why it was not taken, in words; empty: it was, with
/// a status of 2xx. Takes 20 s at most.
std::string post_notice(const Receiver& receiver, const std::string& id, const std::string& body);

}  // namespace reelfarm::notify
