#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "logging/log_format.hpp"

namespace reelfarm::worker {

/// The command line is wrong; the text says how.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RanksOptions {
  bool self_test = false;  ///< what reelfarm doctor asks for: nothing else is looked at then
  std::filesystem::path bundle;
  std::filesystem::path data;
  std::filesystem::path agent_socket;
  logging::Format log_format = logging::Format::text;
  std::string device = "auto";
  std::string dtype = "auto";
  std::string mesh;
  std::string tiles = "auto";
  std::string max_memory;
  int gpu = 0;      ///< place of the group's first rank among the visible GPUs
  int threads = 0;  ///< 0: cores of this machine / ranks on it, at least 1
};

/// Nothing when --help was asked for and printed. Throws OptionError.
std::optional<RanksOptions> read_options(int argc, char** argv);

}  // namespace reelfarm::worker
