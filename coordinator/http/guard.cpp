#include "coordinator/http/guard.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {
namespace {

/// The value of one cookie in a Cookie header (RFC 6265, 4.2); empty: it is not there.
std::string_view cookie(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view pair = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(pair.size() + 1, header.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

/// Without a token a browser is the way in: a page from elsewhere whose name is made to point here (DNS rebinding)
/// would be of the same origin, but for its name.
void require_host(const Request& request, const Address& address) {
  const std::string host = host_of_header(request.header("host"));
  if (host == address.host || Address{host, 0}.is_loopback()) return;
  throw Refusal(421, "the Host header names '" + host + "', which is not this server");
}

void require_same_origin(const Request& request) {
  const std::string site = request.header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    throw Refusal(403, "a change may not be asked for by a page of another site");
  }
  const std::string origin = request.header("origin");
  if (origin.empty()) return;
  const std::string host = request.header("host");
  if (origin != "http://" + host && origin != "https://" + host) {
    throw Refusal(403, "a change may not be asked for by a page of another origin");
  }
}

}  // namespace

bool shows_token(const Request& request, const Token& token) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string authorization = request.header("authorization");
  if (authorization.starts_with(kBearer) && token.matches(std::string_view(authorization).substr(kBearer.size()))) {
    return true;
  }
  const std::string cookies = request.header("cookie");
  const std::string_view session = cookie(cookies, kSessionCookie);
  return !session.empty() && token.matches_session(session);
}

void require_allowed(const Request& request, const Route& route, const Address& address, const Token& token) {
  if (!token.is_set()) require_host(request, address);
  if (request.method == Method::post) require_same_origin(request);
  if (route.access == Access::token && token.is_set() && !shows_token(request, token)) {
    throw Refusal(401, "the token is missing or wrong (Authorization: Bearer TOKEN)");
  }
}

std::string session_cookie(std::string_view session) {
  constexpr std::string_view kAttributes = "; Path=/; HttpOnly; SameSite=Strict";
  std::string value(kSessionCookie);
  value += "=" + std::string(session) + std::string(kAttributes);
  return session.empty() ? value + "; Max-Age=0" : value + "; Max-Age=2592000";
}

std::vector<std::pair<std::string, std::string>> security_headers() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
           "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cross-Origin-Opener-Policy", "same-origin"}};
}

}  // namespace reelfarm::http
