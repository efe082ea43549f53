#include "coordinator/page/page.hpp"

#include "coordinator/page/context.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

struct Page::Impl {
  explicit Impl(const PageOptions& options)
      : context(options.store, options.data), server(options.server, routes(options.server.token)) {}

  http::Router routes(const http::Token& token) {
    http::Router router;
    add_session_routes(router, token);
    add_asset_routes(router);
    add_reading_routes(router, context);
    add_change_routes(router, context);
    add_submit_routes(router, context);
    add_media_routes(router, context);
    add_event_routes(router, context);
    return router;
  }

  Context context;
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
