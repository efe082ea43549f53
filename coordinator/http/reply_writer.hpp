#pragma once

#include <httplib.h>

#include <string>

#include "coordinator/http/exchange.hpp"

namespace reelfarm::http {

/// Hands a reply to httplib, with the headers that every answer has. `range`: the request's Range header, for files.
void write_reply(Reply reply, const std::string& range, httplib::Response& response);

}  // namespace reelfarm::http
