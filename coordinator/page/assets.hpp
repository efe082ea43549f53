#pragma once

#include <string_view>

/// The files of assets/, built into the program by cmake/EmbedText.cmake.
namespace reelfarm::page::assets {

extern const std::string_view index_html;
extern const std::string_view page_css;
extern const std::string_view page_js;
extern const std::string_view view_js;
extern const std::string_view form_js;
extern const std::string_view icon_svg;
extern const std::string_view openapi_json;

}  // namespace reelfarm::page::assets
