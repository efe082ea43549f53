#include "coordinator/page/page.hpp"

#include "coordinator/page/context.hpp"
#include "coordinator/page/metrics.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

struct Page::Impl {
  explicit Impl(const PageOptions& options)
      : context(options.store, options.data), server(options.server, routes(options.server.token)) {
    context.watch.on_event = [this](const queue::Event& event) { metrics.see(event); };
    context.watch.on_second = [this](queue::JobStore& store) { metrics.sample(store); };
  }

  http::Router routes(const http::Token& token) {
    http::Router router;
    add_session_routes(router, token);
    add_asset_routes(router);
    add_reading_routes(router, context);
    add_story_routes(router, context);
    add_change_routes(router, context);
    add_submit_routes(router, context);
    add_media_routes(router, context);
    add_event_routes(router, context);
    router.add(http::Method::get, "/metrics", http::Access::token, [this](const http::Request&) {
      http::Reply reply;
      reply.type = "text/plain; version=0.0.4; charset=utf-8";
      reply.body = metrics.text();
      return reply;
    });
    return router;
  }

  Context context;
  Metrics metrics;
  http::Server server;
};

Page::Page(const PageOptions& options) : impl_(std::make_unique<Impl>(options)) {}

Page::~Page() {
  stop();
}

const http::Address& Page::address() const {
  return impl_->server.address();
}

const http::Router& Page::router() const {
  return impl_->server.router();
}

void Page::start() {
  impl_->context.watch.start();
  impl_->server.start();
}

void Page::stop() {
  // First those who wait for changes, whose connections the server then ends.
  impl_->context.watch.stop();
  impl_->server.stop();
}

}  // namespace reelfarm::page
