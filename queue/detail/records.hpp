#pragma once

#include <map>
#include <string>
#include <string_view>

#include "queue/detail/redis_connection.hpp"
#include "queue/job.hpp"
#include "queue/task.hpp"

namespace reelfarm::queue::detail {

/// The fields of a Redis hash (an HGETALL reply).
class HashFields {
 public:
  HashFields() = default;
  explicit HashFields(const Reply& reply);
  static HashFields unreadable();  ///< stands for a key that is no hash: not empty, and of no known schema
  bool empty() const { return fields_.empty(); }
  std::string text(std::string_view name) const;      ///< "" when missing
  std::int64_t integer(std::string_view name) const;  ///< 0 when missing or empty; throws CodecError when no number
  double real(std::string_view name) const;           ///< as integer
  ServerTime time(std::string_view name) const;       ///< of milliseconds; the epoch when missing
  bool flag(std::string_view name) const { return text(name) == "1"; }

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

ServerTime server_time(std::int64_t milliseconds);
std::int64_t milliseconds_of(ServerTime time);

/// The record of an accepted job, of an inbox entry, and of a rejected one. Throw CodecError.
JobRecord job_record(const std::string& id, const HashFields& fields);
JobRecord inbox_record(const std::string& id, const HashFields& fields);
JobRecord rejected_record(const std::string& id, const HashFields& fields);

/// Throws CodecError. `lease_expires` stays unset: it lives with the leases.
TaskRecord task_record(const HashFields& fields);

}  // namespace reelfarm::queue::detail
