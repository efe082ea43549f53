#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace reelfarm::queue {

struct StoreOptions;

/// What a farm's Redis says of itself, and how long it takes.
struct ServerFacts {
  std::string version{};
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
