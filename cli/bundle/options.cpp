#include "cli/bundle/options.hpp"

#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "pipeline/weights/bundle_hash.hpp"
#include "pipeline/weights/detail/near_match.hpp"

namespace reelfarm::bundle {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "reelfarm-bundle inspect DIR [--json]   what the weights in DIR can do, and what is missing\n"
    "reelfarm-bundle verify DIR [--json]    reads every tensor, too\n"
    "reelfarm-bundle convert | quantize     not in this version\n";

po::options_description visible_options() {
  po::options_description options("Options");
  options.add_options()("json", "one JSON object on stdout and nothing else")(
      "no-cache", "hash every file again (digests are kept in ~/.cache/reelfarm/sha256.json)")("help,h", "this text");
  return options;
}

po::variables_map parse(int argc, const char* const* argv) {
  po::options_description all = visible_options();
  all.add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("words", -1);
  po::variables_map values;
  try {
    // Without guessing, a misspelt flag is an error and not another flag.
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(argc, argv).options(all).positional(positions).style(style).run(), values);
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    throw OptionError(std::string(error.what()) + weights::detail::did_you_mean(name, {"json", "no-cache", "help"}));
  } catch (const po::error& error) {
    throw OptionError(std::string(error.what()) + "\n" + kUsage);
  }
  return values;
}

}  // namespace

std::optional<BundleCommand> read_options(int argc, const char* const* argv) {
  // Before their options are looked at, which this version does not know either.
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "convert" || verb == "quantize") throw OptionError(verb + " is not in this version");
  const po::variables_map values = parse(argc, argv);
  const auto words =
      values.count("words") > 0 ? values["words"].as<std::vector<std::string>>() : std::vector<std::string>{};
  if (values.count("help") > 0) {
    std::cout << kUsage << visible_options();
    return std::nullopt;
  }
  if (words.empty()) throw OptionError(std::string("expected inspect or verify\n") + kUsage);
  if (words[0] != "inspect" && words[0] != "verify")
    throw OptionError("unknown command \"" + words[0] + "\"\n" + kUsage);
  if (words.size() != 2)
    throw OptionError(words[0] + ": expected one folder, found " + std::to_string(words.size() - 1));
  BundleCommand command;
  command.verb = words[0] == "verify" ? Verb::verify : Verb::inspect;
  command.folder = words[1];
  command.json = values.count("json") > 0;
  if (values.count("no-cache") == 0)
    command.cache = weights::digest_cache_file(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
  return command;
}

}  // namespace reelfarm::bundle
