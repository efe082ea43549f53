#pragma once

#include <spdlog/spdlog.h>

#include <exception>
#include <functional>
#include <string>

#include "logging/log_format.hpp"

namespace reelfarm::coordinator {

/// Runs `step` until `stopped`. What it throws (a Redis that is away) is logged once for each text, and its end too;
/// `failed` lets go of what is of no use any more and waits a little.
inline void keep_running(const char* what, const std::function<bool()>& stopped, const std::function<void()>& step,
                         const std::function<void()>& failed) {
  std::string failing;
  while (!stopped()) {
    try {
      step();
      if (!failing.empty()) spdlog::info("{}=recovered", what);
      failing.clear();
    } catch (const std::exception& error) {
      if (failing != error.what()) spdlog::error("{}=failing error={}", what, logging::quoted(error.what()));
      failing = error.what();
      failed();
    }
  }
}

}  // namespace reelfarm::coordinator
