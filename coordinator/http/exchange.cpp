#include "coordinator/http/exchange.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {

std::string_view to_string(Method method) {
  return method == Method::get ? "GET" : "POST";
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::string Request::body(std::uint64_t limit) const {
  if (body_bytes > limit) {
    throw Refusal(413, "the body has " + std::to_string(body_bytes) + " bytes: at most " + std::to_string(limit) +
                           " are taken here");
  }
  std::string whole;
  whole.reserve(body_bytes);
  const bool complete = body_bytes == 0 || (read_body && read_body([&](std::string_view piece) {
                                              whole += piece;
                                              return whole.size() <= limit;
                                            }));
  if (!complete || whole.size() != body_bytes) throw Refusal(400, "the body ended early");
  return whole;
}

std::int64_t Request::integer(const std::string& name, std::int64_t otherwise, std::int64_t low,
                              std::int64_t high) const {
  const auto found = query.find(name);
  if (found == query.end()) return otherwise;
  const std::string& given = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc() || end != given.data() + given.size() || value < low || value > high) {
    throw Refusal(400, name + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

std::string Request::text(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

Reply error_reply(int status, std::string_view text) {
  Reply reply;
  reply.status = status;
  reply.body = nlohmann::json{{"error", text}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

}  // namespace reelfarm::http
