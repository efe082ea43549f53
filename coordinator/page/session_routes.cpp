#include "coordinator/http/errors.hpp"
#include "coordinator/http/guard.hpp"
#include "coordinator/page/json_body.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;

void add_session_routes(http::Router& router, const http::Token& token) {
  router.add(Method::get, "/healthz", Access::open, [](const http::Request&) { return json_reply({{"ok", true}}); });

  router.add(Method::get, "/api/session", Access::open, [token](const http::Request& request) {
    return json_reply(
        {{"token_wanted", token.is_set()}, {"allowed", !token.is_set() || http::shows_token(request, token)}});
  });

  router.add(Method::post, "/api/session", Access::open, [token](const http::Request& request) {
    const nlohmann::json body = json_body(request);
    const auto given = body.find("token");
    if (given == body.end() || !given->is_string() || !token.matches(given->get<std::string>())) {
      throw http::Refusal(401, "that is not the token");
    }
    http::Reply reply = json_reply({{"token_wanted", true}, {"allowed", true}});
    reply.headers.emplace_back("Set-Cookie", http::session_cookie(token.session()));
    return reply;
  });

  router.add(Method::post, "/api/session/end", Access::open, [token](const http::Request&) {
    http::Reply reply = json_reply({{"token_wanted", token.is_set()}, {"allowed", !token.is_set()}});
    reply.headers.emplace_back("Set-Cookie", http::session_cookie(""));
    return reply;
  });
}

}  // namespace reelfarm::page
