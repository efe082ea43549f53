#pragma once

#include "coordinator/http/address.hpp"
#include "coordinator/http/exchange.hpp"
#include "coordinator/http/router.hpp"
#include "coordinator/http/token.hpp"

namespace reelfarm::http {

inline constexpr std::string_view kSessionCookie = "reelfarm_session";

/// Who may do what. Throws Refusal: 421 for a Host that is not this server (a page that had its name point here), 401
/// without the token, 403 for a change asked for by a page of another origin.
void require_allowed(const Request& request, const Route& route, const Address& address, const Token& token);

/// Whether the request shows the token: "Authorization: Bearer", or the cookie that a browser got for it.
bool shows_token(const Request& request, const Token& token);

/// The value of the cookie that a browser gets for the token; an empty one takes it away.
std::string session_cookie(std::string_view session);

/// Sent with every answer: nothing from elsewhere runs in the page, and nobody frames it.
std::vector<std::pair<std::string, std::string>> security_headers();

}  // namespace reelfarm::http
