#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace reelfarm::queue {

struct StoreOptions;

/// What the scripts and commands of the queue need.
inline constexpr const char* kLeastRedisVersion = "6.2";

/// What a farm's Redis says of itself, and how long it takes.
struct ServerFacts {
  std::string version{};
  bool supported = true;        ///< the version is kLeastRedisVersion or newer
  std::string eviction{};       ///< maxmemory-policy; anything but "noeviction" may throw jobs away
  std::int64_t memory = 0;      ///< bytes in use
  std::int64_t memory_max = 0;  ///< bytes, its maxmemory; 0: no limit
  bool append_only = false;
  std::string fsync{};              ///< "always", "everysec", "no"; empty: it does not say (a managed server)
  bool writes_fail = false;         ///< the last write or rewrite of the append-only file went wrong
  std::int64_t delayed_fsyncs = 0;  ///< since it started: writes that waited for the disk to finish one
  /// Milliseconds of the slowest of ten writes; with fsync always, the disk's time is in it. Nothing: this role may
  /// not.
  std::optional<double> slowest_write_ms{};
};

/// Asks it, and writes a small key ten times that expires at once. Throws as a JobStore does.
ServerFacts read_server_facts(const StoreOptions& options);

}  // namespace reelfarm::queue
