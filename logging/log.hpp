#pragma once

#include <optional>
#include <string>

#include "logging/log_format.hpp"

namespace reelfarm::logging {

/// Sends this program's log to stderr in `format`, from all threads. Call it again once the options are read, or the
/// rank is known.
void start(const std::string& program, Format format = Format::text, std::optional<int> rank = {});

/// For programs that cannot include spdlog: LibTorch brings an fmt of its own.
void info(const std::string& text);
void warn(const std::string& text);

/// The last words of a program: "reelfarm-<program>: <text>" on stderr, or a JSON line of level "critical". Gives
/// `code`.
int complain(const std::string& program, const std::string& text, int code);

}  // namespace reelfarm::logging
