#include "cli/arguments.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/errors.hpp"
#include "coordinator/near_match.hpp"

namespace reelfarm::cli {
namespace {

namespace po = boost::program_options;
using Values = std::map<std::string, std::vector<std::string>>;

constexpr const char* kOperand = "operand";
constexpr std::string_view kPrefix = "REELFARM_";

po::options_description describe(const Command& command) {
  po::options_description description;
  auto add = description.add_options();
  for (const OptionRow& row : command.options) {
    if (row.is_switch()) {
      add(row.name.c_str(), po::bool_switch());
    } else if (row.repeated) {
      add(row.name.c_str(), po::value<std::vector<std::string>>());
    } else {
      add(row.name.c_str(), po::value<std::string>());
    }
  }
  add(kOperand, po::value<std::vector<std::string>>());
  return description;
}

std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names;
  for (const OptionRow& row : command.options) names.push_back("--" + row.name);
  return names;
}

bool known_to_any_command(const std::string& name) {
  return std::any_of(commands().begin(), commands().end(),
                     [&](const Command& command) { return command.option(name) != nullptr; });
}

std::vector<std::string> all_option_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    for (const OptionRow& row : command.options) names.push_back(row.name);
  }
  return names;
}

/// "-f" as "--follow". Only words that are one hyphen and one known letter: "-5" stays an operand.
std::vector<std::string> spelled_out(const Command& command, std::vector<std::string> words) {
  for (std::string& word : words) {
    if (word == "--") break;
    for (const OptionRow& row : command.options) {
      if (row.letter != 0 && word == std::string("-") + row.letter) word = "--" + row.name;
    }
  }
  return words;
}

/// Puts the values of one place where no place before it has said anything.
void fill(Values& values, const Values& more) {
  for (const auto& [name, words] : more) values.try_emplace(name, words);
}

Values from_command_line(const Command& command, const std::vector<std::string>& words,
                         std::vector<std::string>& operands) {
  const po::options_description description = describe(command);
  po::positional_options_description positional;
  positional.add(kOperand, -1);
  Values values;
  try {
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing &
                       ~po::command_line_style::allow_short;
    const auto parsed = po::command_line_parser(spelled_out(command, words))
                            .options(description)
                            .positional(positional)
                            .style(style)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.string_key == kOperand) {
        operands.insert(operands.end(), option.value.begin(), option.value.end());
        continue;
      }
      const OptionRow* row = command.option(option.string_key);
      auto& stored = values[option.string_key];
      if (!stored.empty() && !row->repeated) throw BadInput("--" + row->name + " is given twice");
      const std::vector<std::string> on = {"true"};
      const auto& given = row->is_switch() ? on : option.value;
      stored.insert(stored.end(), given.begin(), given.end());
    }
  } catch (const po::unknown_option& error) {
    throw BadInput("unknown option '" + error.get_option_name() + "' of " + command.name +
                   coordinator::did_you_mean(error.get_option_name(), option_names(command)));
  } catch (const po::error& error) {
    throw BadInput(error.what());
  }
  return values;
}

Values from_environment(const Command& command) {
  Values values;
  for (const OptionRow& row : command.options) {
    if (row.only_command_line) continue;
    std::string variable(kPrefix);
    for (const char letter : row.name) {
      variable += letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    if (row.name == "help") continue;
    if (const char* value = std::getenv(variable.c_str())) values[row.name] = {value};
  }
  return values;
}

void check_key(const std::string& path, const std::string& section, const std::string& key) {
  if (!section.empty() && !find_command(section)) throw BadInput(path + ": [" + section + "] is no command");
  if (!known_to_any_command(key)) {
    throw BadInput(path + ": unknown key '" + key + "'" + coordinator::did_you_mean(key, all_option_names()));
  }
}

/// A key may stand in a section with the name of the command it is meant for.
Values from_file(const Command& command, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw BadInput("cannot read the settings file " + path);
  Values values;
  Values of_section;
  try {
    const po::options_description nothing;
    for (const auto& option : po::parse_config_file(file, nothing, true).options) {
      std::string key = option.string_key;
      const std::size_t dot = key.find('.');
      const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
      if (dot != std::string::npos) key = key.substr(dot + 1);
      std::replace(key.begin(), key.end(), '_', '-');
      check_key(path, section, key);
      const OptionRow* row = command.option(key);
      if (!row || row->only_command_line || (!section.empty() && section != command.name)) continue;
      auto& place = section.empty() ? values : of_section;
      place[key].insert(place[key].end(), option.value.begin(), option.value.end());
    }
  } catch (const po::error& error) {
    throw BadInput(path + ": " + error.what());
  }
  fill(of_section, values);
  return of_section;
}

}  // namespace

std::vector<std::string> default_settings_files() {
  std::vector<std::string> files = {"./reelfarm.ini"};
  if (const char* home = std::getenv("HOME")) files.push_back(std::string(home) + "/.config/reelfarm.ini");
  files.emplace_back("/etc/reelfarm.ini");
  std::erase_if(files, [](const std::string& file) { return !std::filesystem::is_regular_file(file); });
  return files;
}

Arguments read_arguments(const Command& command, const std::vector<std::string>& words) {
  std::vector<std::string> operands;
  Values values = from_command_line(command, words, operands);
  if (!values.contains("help")) {
    fill(values, from_environment(command));
    const auto config = values.find("config");
    if (config != values.end()) fill(values, from_file(command, config->second.back()));
    for (const std::string& file : default_settings_files()) fill(values, from_file(command, file));
    if (operands.size() < command.min_operands) {
      throw BadInput(command.name + " needs " + command.operands + " (see reelfarm " + command.name + " --help)");
    }
    if (operands.size() > command.max_operands) {
      throw BadInput("unexpected '" + operands[command.max_operands] + "' behind " + command.name);
    }
  }
  return Arguments(command, std::move(values), std::move(operands));
}

std::string Arguments::text(const std::string& name, const std::string& fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second.back();
}

std::vector<std::string> Arguments::texts(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

bool Arguments::flag(const std::string& name) const {
  return has(name) && parse_switch("--" + name, text(name));
}

std::int64_t Arguments::integer(const std::string& name, std::int64_t fallback, std::int64_t low,
                                std::int64_t high) const {
  return has(name) ? parse_integer("--" + name, text(name), low, high) : fallback;
}

double Arguments::number(const std::string& name, double fallback) const {
  return has(name) ? parse_number("--" + name, text(name)) : fallback;
}

}  // namespace reelfarm::cli
