#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "coordinator/http/exchange.hpp"

namespace reelfarm::page {

/// The body as a JSON object, empty for no body. Throws http::Refusal: 415 when it is not announced as
/// application/json (which a page of another origin cannot do unasked), 400 when it is no object, over 1 MiB or nested
/// deeper than `depth`.
nlohmann::json json_body(const http::Request& request, int depth = 4);

/// A whole number in it. Throws http::Refusal 400.
std::int64_t integer_field(const nlohmann::json& body, const char* name, std::int64_t low, std::int64_t high);

/// Text of any bytes as JSON; what is not UTF-8 is replaced.
http::Reply json_reply(const nlohmann::json& document, int status = 200);

}  // namespace reelfarm::page
