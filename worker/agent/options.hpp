#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "logging/log_format.hpp"
#include "worker/agent/agent.hpp"

namespace reelfarm::worker {

/// The command line is wrong; the text says how.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct WorkerCommand {
  AgentOptions agent;
  logging::Format log_format = logging::Format::text;
  std::filesystem::path bundle;
  std::filesystem::path bundle_program;  ///< reelfarm-bundle
  std::chrono::milliseconds wait_for_farm{0};
};

/// Reads the command line and REELFARM_* variables; nothing when --help was asked for and printed. Throws OptionError.
std::optional<WorkerCommand> read_options(int argc, char** argv);

}  // namespace reelfarm::worker
