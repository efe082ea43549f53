#pragma once

#include <cstdint>
#include <string>

#include "queue/job.hpp"

namespace reelfarm::coordinator {

/// "1 h 02 min", "3 min 20 s", "4.2 s"
std::string duration_text(double seconds);
/// "1.2 GiB"
std::string bytes_text(std::uint64_t bytes);
/// "2026-01-31 23:59:59", of this machine's time zone.
std::string time_text(queue::ServerTime time);
/// Text cut to `columns` characters (code points), with an ellipsis; control characters become spaces.
std::string one_line(const std::string& text, std::size_t columns);

}  // namespace reelfarm::coordinator
