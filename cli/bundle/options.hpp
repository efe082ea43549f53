#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "pipeline/weights/convert.hpp"
#include "pipeline/weights/quantize.hpp"

namespace reelfarm::bundle {

/// A command line that makes no sense; the message says what was expected.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Verb { inspect, verify, convert, quantize };

struct BundleCommand {
  Verb verb = Verb::inspect;
  std::filesystem::path folder;  ///< or file: what to look at or to convert
  bool json = false;
  std::filesystem::path cache;         ///< of file digests; empty: none
  weights::ConvertRequest request;     ///< of convert
  weights::QuantizeRequest eight_bit;  ///< of quantize
  bool dry_run = false;                ///< of quantize: only says what it would take
};

/// Reads the command line and the environment. Nothing when help was asked for and has been printed. Throws
/// OptionError.
std::optional<BundleCommand> read_options(int argc, const char* const* argv);

}  // namespace reelfarm::bundle
