#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "queue/detail/redis_connection.hpp"

namespace reelfarm::queue::detail {

/// A transition: the prelude and its Lua file, and the SHA-1 under which Redis caches it.
struct Script {
  std::string name;
  std::string text;
  std::string sha1;
};

/// Throws std::invalid_argument for a name that is no file of queue/lua.
const Script& find_script(std::string_view name);

/// Runs a script by its hash, and by its text when the server does not have it (restarted, SCRIPT FLUSH).
/// With `resend` false a broken connection is not opened again for it.
ReplyPtr run_script(RedisConnection& connection, std::string_view name, const std::string& key,
                    const Arguments& arguments, bool resend = true);

}  // namespace reelfarm::queue::detail
