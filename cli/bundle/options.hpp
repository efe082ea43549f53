#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace reelfarm::bundle {

/// A command line that makes no sense; the message says what was expected.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Verb { inspect, verify };

struct BundleCommand {
  Verb verb = Verb::inspect;
  std::filesystem::path folder;
  bool json = false;
  std::filesystem::path cache;  ///< of file digests; empty: none
};

/// Reads the command line and the environment. Nothing when help was asked for and has been printed. Throws
/// OptionError.
std::optional<BundleCommand> read_options(int argc, const char* const* argv);

}  // namespace reelfarm::bundle
