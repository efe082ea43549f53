#pragma once

#include <string>

#include "cli/command.hpp"

namespace reelfarm::cli {

/// What `reelfarm help` prints.
std::string overview();
/// What `reelfarm COMMAND --help` prints.
std::string help_of(const Command& command);
/// The tables of docs/cli.md.
std::string help_as_markdown();

}  // namespace reelfarm::cli
