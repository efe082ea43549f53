#pragma once

#include <optional>
#include <stdexcept>

#include "worker/stitcher/service.hpp"

namespace reelfarm::worker {

/// The command line is wrong; the text says how.
class StitcherOptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads the command line and REELFARM_* variables; nothing when --help was asked for and printed.
/// Throws StitcherOptionError.
std::optional<StitcherOptions> read_stitcher_options(int argc, char** argv);

}  // namespace reelfarm::worker
