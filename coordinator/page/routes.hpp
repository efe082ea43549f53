#pragma once

#include "coordinator/http/router.hpp"
#include "coordinator/http/token.hpp"

namespace reelfarm::page {

/// /healthz, and how a browser exchanges the token for a cookie.
void add_session_routes(http::Router& router, const http::Token& token);

}  // namespace reelfarm::page
