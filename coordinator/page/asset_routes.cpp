#include "coordinator/page/assets.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

void add_asset_routes(http::Router& router) {
  const auto add = [&](const char* path, http::Access access, const char* type, std::string_view text) {
    router.add(http::Method::get, path, access, [type, text](const http::Request&) {
      http::Reply reply;
      reply.type = type;
      reply.body = text;
      // Asked for again after an upgrade, whatever the browser keeps.
      reply.headers = {{"Cache-Control", "no-cache"}};
      return reply;
    });
  };
  add("/", http::Access::open, "text/html; charset=utf-8", assets::index_html);
  add("/page.css", http::Access::open, "text/css; charset=utf-8", assets::page_css);
  add("/page.js", http::Access::open, "text/javascript; charset=utf-8", assets::page_js);
  add("/view.js", http::Access::open, "text/javascript; charset=utf-8", assets::view_js);
  add("/form.js", http::Access::open, "text/javascript; charset=utf-8", assets::form_js);
  add("/icon.svg", http::Access::open, "image/svg+xml", assets::icon_svg);
  add("/api/openapi.json", http::Access::open, "application/json", assets::openapi_json);
}

}  // namespace reelfarm::page
