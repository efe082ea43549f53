#pragma once

#include <string_view>
#include <vector>

namespace reelfarm::queue::detail {

struct ScriptSource {
  std::string_view name;
  std::string_view text;
};

/// The files of queue/lua; those of queue/lua/prelude are one, "prelude", and the first.
const std::vector<ScriptSource>& script_sources();

}  // namespace reelfarm::queue::detail
