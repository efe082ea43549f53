#include "coordinator/page/json_body.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::page {

using nlohmann::json;

namespace {

constexpr std::uint64_t kMaxBody = std::uint64_t{1} << 20;

}  // namespace

json json_body(const http::Request& request, int depth) {
  if (request.body_bytes == 0) return json::object();
  const std::string type = request.header("content-type");
  if (type != "application/json" && !type.starts_with("application/json;")) {
    throw http::Refusal(415, "the body must be application/json");
  }
  try {
    json document = json::parse(request.body(kMaxBody), [depth](int at, json::parse_event_t, const json&) {
      if (at > depth) throw http::Refusal(400, "the body is nested too deeply");
      return true;
    });
    if (!document.is_object()) throw http::Refusal(400, "the body is not a JSON object");
    return document;
  } catch (const json::exception& error) {
    throw http::Refusal(400, std::string("the body is not JSON: ") + error.what());
  }
}

http::Reply json_reply(const json& document, int status) {
  http::Reply reply;
  reply.status = status;
  reply.body = document.dump(-1, ' ', false, json::error_handler_t::replace);
  return reply;
}

}  // namespace reelfarm::page
