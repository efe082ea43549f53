#pragma once

#include <optional>
#include <stdexcept>

#include "logging/log_format.hpp"
#include "worker/stitcher/service.hpp"

namespace reelfarm::worker {

/// The command line is wrong; the text says how.
class StitcherOptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct StitcherCommand {
  StitcherOptions stitcher;
  logging::Format log_format = logging::Format::text;
};

/// Reads the command line and REELFARM_* variables; nothing when --help was asked for and printed.
/// Throws StitcherOptionError.
std::optional<StitcherCommand> read_stitcher_options(int argc, char** argv);

}  // namespace reelfarm::worker
