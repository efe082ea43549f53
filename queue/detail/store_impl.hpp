#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/detail/records.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/detail/scripts.hpp"
#include "queue/job_store.hpp"
#include "queue/keys.hpp"

namespace reelfarm::queue {

/// What the parts of JobStore share.
struct JobStore::Impl {
  explicit Impl(StoreOptions store_options);

  /// Runs a transition: its KEYS[1] and its arguments from ARGV[3] on.
  detail::ReplyPtr run(std::string_view script, const std::string& key, const detail::Arguments& arguments,
                       bool resend = true);

  /// A fenced transition: the token comes before `more`. Throws TransitionError when it was refused.
  ReplyCode run_fenced(std::string_view script, const FencingToken& token, const detail::Arguments& more = {});

  /// An operator's verb on a job.
  Change run_change(std::string_view script, const std::string& job, const detail::Arguments& more = {});

  std::int64_t now_ms(bool resend = true);
  std::string lease_ms() const { return std::to_string(options.lease.count()); }

  /// HGETALL of many keys in one round trip.
  std::vector<detail::HashFields> hashes(const std::vector<std::string>& keys);

  /// The leases now: task id and expiry, in order of expiry.
  std::vector<std::pair<std::string, std::int64_t>> lease_expiries();

  StoreOptions options;
  Keys keys;
  detail::RedisConnection connection;
  std::map<std::string, GroupRecord> registered_groups;
  std::map<std::string, BundleLimits> registered_bundles;  ///< by hash

  /// The server's clock beside the caller's at the last reap, on connection `generation`.
  struct ClockSample {
    std::int64_t server_ms = 0;
    std::chrono::steady_clock::time_point monotonic{};
    int generation = 0;
  };
  std::optional<ClockSample> last_reap;
};

namespace detail {
ConnectionOptions connection_options(const StoreOptions& options);
ReplyCode reply_code_from(const std::string& word);
std::string milliseconds_text(std::chrono::milliseconds duration);
}  // namespace detail

}  // namespace reelfarm::queue
