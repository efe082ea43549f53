// reelfarm: the one command of the farm.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/errors.hpp"
#include "cli/help.hpp"
#include "cli/siblings.hpp"
#include "coordinator/near_match.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "queue/errors.hpp"

namespace {

using namespace reelfarm;
using namespace reelfarm::cli;

const Command& command_named(const std::string& name) {
  if (const Command* command = find_command(name)) return *command;
  std::vector<std::string> names = {"help"};
  for (const Command& command : commands()) names.push_back(command.name);
  throw BadInput("unknown command '" + name + "'" + coordinator::did_you_mean(name, names) +
                 " ('reelfarm help' lists them)");
}

int help(const std::vector<std::string>& words) {
  std::string text = overview();
  if (words.size() > 1 && words[0] == "slurm") return help({words[0] + " " + words[1]});
  if (!words.empty()) text = words[0] == "--markdown" ? help_as_markdown() : help_of(command_named(words[0]));
  std::fputs(text.c_str(), stdout);
  return kDone;
}

int run(std::vector<std::string> words) {
  if (words.empty()) {
    std::fputs(overview().c_str(), stderr);
    return kBadInput;
  }
  std::string name = words.front();
  words.erase(words.begin());
  if (name == "slurm" && !words.empty()) {
    name += " " + words.front();
    words.erase(words.begin());
  }
  if (name == "help" || name == "--help" || name == "-h") return help(words);
  if (name == "--version") {
    std::printf("reelfarm %s\n", REELFARM_VERSION);
    return kDone;
  }
  const Command& command = command_named(name);
  if (!command.sibling.empty()) become_sibling(command.sibling, words);
  const Arguments arguments = read_arguments(command, words);
  if (arguments.has("help")) {
    std::fputs(help_of(command).c_str(), stdout);
    return kDone;
  }
  return command.run(arguments);
}

int complain(const char* text, int code) {
  std::fprintf(stderr, "reelfarm: %s\n", text);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const BadInput& error) {
    return complain(error.what(), kBadInput);
  } catch (const CommandError& error) {
    return complain(error.what(), error.code());
  } catch (const queue::ConnectionError& error) {
    return complain(error.what(), kFarmUnreachable);
  } catch (const queue::ReplyError& error) {
    return complain(error.what(), kFarmUnreachable);
  } catch (const queue::Error& error) {
    // A wrong password, an unsafe or too old server, a foreign data folder: trying again does not help.
    return complain(error.what(), kBadInput);
  } catch (const artifacts::ArtifactError& error) {
    return complain(error.what(), kBadInput);
  } catch (const std::exception& error) {
    return complain(error.what(), kInternalError);
  }
}
