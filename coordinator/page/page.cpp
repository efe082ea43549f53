#include "coordinator/page/page.hpp"

#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

struct Page::Impl {
  explicit Impl(PageOptions given) : options(std::move(given)), server(options.server, routes(options)) {}

  static http::Router routes(const PageOptions& options) {
    http::Router router;
    add_session_routes(router, options.server.token);
    return router;
  }

  PageOptions options;
  http::Server server;
};

Page::Page(PageOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

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
  impl_->server.start();
}

void Page::stop() {
  impl_->server.stop();
}

}  // namespace reelfarm::page
