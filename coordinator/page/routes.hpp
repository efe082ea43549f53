#pragma once

#include "coordinator/http/router.hpp"
#include "coordinator/http/token.hpp"
#include "coordinator/page/context.hpp"

namespace reelfarm::page {

/// /healthz, and how a browser exchanges the token for a cookie.
void add_session_routes(http::Router& router, const http::Token& token);

/// The page itself and the description of its API: files built into the program.
void add_asset_routes(http::Router& router);

/// Jobs, takes, groups, bundles and failures, as they are.
void add_reading_routes(http::Router& router, Context& context);

/// What a job waits for, in words, and what has happened to it.
void add_story_routes(http::Router& router, Context& context);

/// cancel, pause, resume, retry, priority and use of a job; drain and undrain of a group; pause and resume of the farm.
void add_change_routes(http::Router& router, Context& context);

/// Uploading an image, submitting a job, rerolling one.
void add_submit_routes(http::Router& router, Context& context);

/// The video of a job and frames of its windows.
void add_media_routes(http::Router& router, Context& context);

/// Server-sent events (HTML Living Standard, 9.2): what changed.
void add_event_routes(http::Router& router, Context& context);

}  // namespace reelfarm::page
