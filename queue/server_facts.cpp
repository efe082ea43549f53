#include "queue/server_facts.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "queue/detail/server_check.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue {

using detail::Reply;
using detail::ReplyPtr;

namespace {

std::string fsync_setting(detail::RedisConnection& connection) try {
  const ReplyPtr reply = connection.command({"CONFIG", "GET", "appendfsync"});
  const std::vector<std::string> pair = Reply(reply.get()).strings();
  return pair.size() == 2 ? pair[1] : "";
} catch (const AuthenticationError&) {  // a role of deploy/redis
  return "";
} catch (const ReplyError&) {  // a managed server that has no CONFIG
  return "";
}

/// `key`: in a place where every role that may submit can write.
std::optional<double> slowest_write_ms(detail::RedisConnection& connection, const std::string& key) try {
  double slowest = 0;
  for (int write = 0; write < 10; ++write) {
    const auto begin = std::chrono::steady_clock::now();
    connection.command({"SET", key, "", "PX", "1000"});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    slowest = std::max(slowest, took.count());
  }
  return slowest;
} catch (const AuthenticationError&) {
  return std::nullopt;
}

}  // namespace

ServerFacts read_server_facts(const StoreOptions& options) {
  detail::RedisConnection connection(detail::connection_options(options));
  ServerFacts facts;
  facts.version = detail::info_value(detail::info(connection, "server"), "redis_version");
  facts.supported = detail::version_is_supported(facts.version);
  const std::string memory = detail::info(connection, "memory");
  facts.eviction = detail::info_value(memory, "maxmemory_policy");
  facts.memory = std::atoll(detail::info_value(memory, "used_memory").c_str());
  facts.memory_max = std::atoll(detail::info_value(memory, "maxmemory").c_str());
  const std::string persistence = detail::info(connection, "persistence");
  facts.append_only = detail::info_value(persistence, "aof_enabled") == "1";
  facts.writes_fail = detail::info_value(persistence, "aof_last_write_status") == "err" ||
                      detail::info_value(persistence, "aof_last_bgrewrite_status") == "err";
  facts.delayed_fsyncs = std::atoll(detail::info_value(persistence, "aof_delayed_fsync").c_str());
  if (facts.append_only) facts.fsync = fsync_setting(connection);
  facts.slowest_write_ms = slowest_write_ms(connection, Keys(options.farm).request("doctor"));
  return facts;
}

}  // namespace reelfarm::queue
