#include "cli/help.hpp"

#include <algorithm>
#include <sstream>

namespace reelfarm::cli {
namespace {

constexpr std::size_t kLineLength = 110;

std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string result;
  std::size_t column = indent;
  for (std::string word; words >> word;) {
    if (column > indent && column + 1 + word.size() > kLineLength) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

std::string usage(const Command& command) {
  std::string text = command.name;
  if (!command.operands.empty()) text += " " + command.operands;
  return text;
}

std::string spelled(const OptionRow& row) {
  const std::string letter = row.letter == 0 ? "" : std::string(" (-") + row.letter + ")";
  return "--" + row.name + (row.is_switch() ? "" : " " + row.value) + letter;
}

std::string explained(const OptionRow& row) {
  return row.fallback.empty() ? row.meaning : row.meaning + " [" + row.fallback + "]";
}

std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

}  // namespace

std::string overview() {
  std::size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, usage(command).size());
  std::string text = "reelfarm: a render farm for AI video. reelfarm COMMAND --help says more.\n\n";
  for (const Command& command : commands()) {
    std::string line = "  " + usage(command);
    line.resize(width + 4, ' ');
    text += line + wrapped(command.summary, width + 4) + "\n";
  }
  text +=
      "\nSettings come from the option, then REELFARM_* (REELFARM_DATA for --data), then --config FILE, "
      "./reelfarm.ini,\n"
      "~/.config/reelfarm.ini, /etc/reelfarm.ini.\n"
      "Exit codes: 0 done; 2 bad input, nothing was queued; 3 farm unreachable; 4 a job failed; 5 cancelled.\n";
  return text;
}

std::string help_of(const Command& command) {
  std::string text = "reelfarm " + usage(command) + "\n" + wrapped(command.summary, 0) + "\n\n";
  std::size_t width = 0;
  for (const OptionRow& row : command.options) width = std::max(width, spelled(row).size());
  for (const OptionRow& row : command.options) {
    std::string line = "  " + spelled(row);
    line.resize(width + 4, ' ');
    text += line + wrapped(explained(row), width + 4) + "\n";
  }
  return text;
}

std::string help_as_markdown() {
  std::string text;
  for (const Command& command : commands()) {
    text += "## " + usage(command) + "\n\n" + command.summary + "\n\n";
    if (command.options.empty()) continue;
    text += "| option | default | meaning |\n|---|---|---|\n";
    for (const OptionRow& row : command.options) {
      text += "| `" + spelled(row) + "` | " + escaped(row.fallback) + " | " + escaped(row.meaning) + " |\n";
    }
    text += "\n";
  }
  return text;
}

}  // namespace reelfarm::cli
