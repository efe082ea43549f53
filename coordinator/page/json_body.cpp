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

std::int64_t integer_field(const json& body, const char* name, std::int64_t low, std::int64_t high) {
  const auto found = body.find(name);
  const bool whole = found != body.end() && found->is_number_integer();
  // An unsigned number beyond the signed ones would turn negative.
  const bool fits = whole && (!found->is_number_unsigned() || found->get<std::uint64_t>() <= INT64_MAX);
  if (!fits || found->get<std::int64_t>() < low || found->get<std::int64_t>() > high) {
    throw http::Refusal(
        400, std::string(name) + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return found->get<std::int64_t>();
}

http::Reply json_reply(const json& document, int status) {
  http::Reply reply;
  reply.status = status;
  reply.body = document.dump(-1, ' ', false, json::error_handler_t::replace);
  return reply;
}

}  // namespace reelfarm::page
