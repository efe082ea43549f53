#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "tests/chaos/campaign.hpp"

namespace reelfarm::chaos {

class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// From the command line; nothing when it only asked for help, which was printed. Throws OptionError.
std::optional<CampaignOptions> read_options(int argc, char** argv);

/// The command line that does the same again.
std::string command_line(const CampaignOptions& options);

}  // namespace reelfarm::chaos
