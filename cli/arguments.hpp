#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"
#include "coordinator/submission/parse_value.hpp"

namespace reelfarm::cli {

using coordinator::parse_integer;
using coordinator::parse_number;
using coordinator::parse_switch;
using coordinator::parse_unsigned;

/// The settings of one command, from whichever place says it first: command line, REELFARM_* variable, --config FILE,
/// ./reelfarm.ini, ~/.config/reelfarm.ini, /etc/reelfarm.ini.
class Arguments {
 public:
  Arguments(const Command& command, std::map<std::string, std::vector<std::string>> values,
            std::vector<std::string> operands)
      : command_(&command), values_(std::move(values)), operands_(std::move(operands)) {}

  const Command& command() const { return *command_; }
  const std::vector<std::string>& operands() const { return operands_; }
  bool has(const std::string& name) const { return values_.contains(name); }
  /// The value; `fallback` when nobody set it.
  std::string text(const std::string& name, const std::string& fallback = "") const;
  std::vector<std::string> texts(const std::string& name) const;
  bool flag(const std::string& name) const;
  std::int64_t integer(const std::string& name, std::int64_t fallback, std::int64_t low, std::int64_t high) const;
  double number(const std::string& name, double fallback) const;

 private:
  const Command* command_;
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_;
};

/// Reads words (without the command's name), environment and settings files. Throws BadInput: unknown option or key,
/// with the nearest known one, missing value, too few or too many operands.
Arguments read_arguments(const Command& command, const std::vector<std::string>& words);

/// Files that settings may come from, the first one first; those that are not there are left out.
std::vector<std::string> default_settings_files();

}  // namespace reelfarm::cli
