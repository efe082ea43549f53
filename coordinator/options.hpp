#pragma once

#include <optional>
#include <stdexcept>

#include "coordinator/coordinator.hpp"

namespace reelfarm::coordinator {

/// The command line is wrong; the text says how.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads the command line and REELFARM_REDIS, REELFARM_DATA, REELFARM_FARM, REELFARM_OUTPUT_ROOT, REELFARM_HIGH_WATER;
/// nothing when --help was asked for and printed. Throws OptionError.
std::optional<CoordinatorOptions> read_options(int argc, char** argv);

}  // namespace reelfarm::coordinator
