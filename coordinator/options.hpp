#pragma once

#include <optional>
#include <stdexcept>

#include "coordinator/coordinator.hpp"
#include "coordinator/notify/notifier.hpp"
#include "coordinator/page/page.hpp"
#include "logging/log_format.hpp"

namespace reelfarm::coordinator {

/// The command line is wrong; the text says how.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ProgramOptions {
  CoordinatorOptions coordinator;
  logging::Format log_format = logging::Format::text;
  std::optional<page::PageOptions> page;          ///< nothing: no page is served
  std::optional<notify::NotifierOptions> notify;  ///< nothing: nobody is told anything
};

/// Reads the command line and REELFARM_REDIS, REELFARM_DATA, REELFARM_FARM, REELFARM_OUTPUT_ROOT, REELFARM_HIGH_WATER,
/// REELFARM_LISTEN, REELFARM_TOKEN_FILE, REELFARM_NOTIFY, REELFARM_LOG_FORMAT; nothing when --help was asked for and
/// printed. Throws OptionError, http::SetupError, notify::ConfigError.
std::optional<ProgramOptions> read_options(int argc, char** argv);

}  // namespace reelfarm::coordinator
