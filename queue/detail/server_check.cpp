#include "queue/detail/server_check.hpp"

#include <cstdio>
#include <string>

#include "queue/errors.hpp"
#include "queue/server_facts.hpp"

namespace reelfarm::queue::detail {
namespace {

bool takes_snapshots(RedisConnection& connection) {
  const ReplyPtr reply = connection.command({"CONFIG", "GET", "save"});
  const std::vector<std::string> pair = Reply(reply.get()).strings();
  return pair.size() == 2 && !pair[1].empty();
}

}  // namespace

std::string info_value(const std::string& info, const std::string& name) {
  std::size_t at = info.rfind("\n" + name + ":");
  if (at == std::string::npos) return {};
  at += name.size() + 2;
  return info.substr(at, info.find_first_of("\r\n", at) - at);
}

std::string info(RedisConnection& connection, const char* section) {
  return "\n" + Reply(connection.command({"INFO", section}).get()).text();
}

bool version_is_supported(const std::string& version) {
  int major = 0;
  int minor = 0;
  int least_major = 0;
  int least_minor = 0;
  std::sscanf(kLeastRedisVersion, "%d.%d", &least_major, &least_minor);
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2) return false;
  return major > least_major || (major == least_major && minor >= least_minor);
}

void check_server(RedisConnection& connection, bool allow_volatile) {
  const std::string where = "Redis at " + connection.url().redacted();
  const std::string version = info_value(info(connection, "server"), "redis_version");
  if (!version_is_supported(version)) {
    throw UnsupportedServerError(where + " has version " + (version.empty() ? "unknown" : version) + "; " +
                                 kLeastRedisVersion + " or newer is needed");
  }
  const std::string policy = info_value(info(connection, "memory"), "maxmemory_policy");
  if (policy != "noeviction") {
    throw UnsafeServerError(where + " has maxmemory-policy " + (policy.empty() ? "unknown" : policy) +
                            ": it may throw jobs away when memory runs short; set it to noeviction");
  }
  if (allow_volatile || info_value(info(connection, "persistence"), "aof_enabled") == "1") return;
  std::string found = "appendonly no and no snapshots (save \"\")";
  try {
    if (takes_snapshots(connection)) return;
  } catch (const Error& error) {  // CONFIG may be forbidden or renamed on a managed server
    found = std::string("appendonly no, and its snapshot settings cannot be read (") + error.what() + ")";
  }
  throw UnsafeServerError(where + " has " + found +
                          ": a restart would lose every job; set appendonly yes, or allow a volatile queue on purpose");
}

}  // namespace reelfarm::queue::detail
