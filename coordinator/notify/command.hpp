#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace reelfarm::notify {

/// Runs a program with `input` on its standard input, and kills it after `limit`. Gives what went wrong, in words, with
/// the last of what it said; empty: it ended with code 0.
std::string run_command(const std::vector<std::string>& words, const std::string& input,
                        std::chrono::milliseconds limit);

}  // namespace reelfarm::notify
