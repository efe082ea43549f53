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
    "reelfarm-bundle inspect DIR|FILE [--json]   what the weights can do, and what is missing\n"
    "reelfarm-bundle verify DIR|FILE [--json]    reads every number, too\n"
    "reelfarm-bundle convert SRC --to DIR [--base BUNDLE] [...]   makes a bundle of weights as they are published\n"
    "reelfarm-bundle quantize BUNDLE --to DIR --format int8|fp8 [--modulation] [--dry-run]   makes a smaller one of "
    "it\n";

po::options_description look_options() {
  po::options_description options("inspect, verify");
  options.add_options()("json", "one JSON object on stdout and nothing else")(
      "no-cache", "hash every file again (digests are kept in ~/.cache/reelfarm/sha256.json)")("help,h", "this text");
  return options;
}

po::options_description convert_options() {
  po::options_description options("convert");
  const auto text = [] { return po::value<std::string>(); };
  options.add_options()("to", text(), "folder of the new bundle; must not be there")(
      "base", text(), "bundle that gives what the source has not")("vae", text(), "file or folder of another VAE")(
      "text-encoder", text(), "folder of a Llama or LLaVA with its tokenizer")("text-encoder-2", text(),
                                                                               "folder of a CLIP with its tokenizer")(
      "lora", po::value<std::vector<std::string>>(),
      "FILE or FILE:scale, added for good; may be given again and again")(
      "variant", text(), "t2v or token-replace, where the tensors leave a choice")(
      "name", text(), "name of the bundle in the farm")("distilled", "made for few steps: no warning for them")(
      "steps", po::value<int>(), "default of a job")("shift", po::value<double>(), "default of a job")(
      "guidance", po::value<double>(), "default of a job");
  return options;
}

po::options_description quantize_options() {
  po::options_description options("quantize");
  // --to and --name are those of convert.
  options.add_options()("format", po::value<std::string>(), "int8 or fp8, with one scale for each output of a layer")(
      "modulation", "the blocks' modulation in 8 bits, too")("dry-run",
                                                             "only the table of sizes; the weights need not be there");
  return options;
}

po::options_description visible_options() {
  po::options_description options;
  options.add(look_options()).add(convert_options()).add(quantize_options());
  return options;
}

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  const po::options_description options = visible_options();
  for (const auto& option : options.options()) names.push_back(option->long_name());
  return names;
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
    throw OptionError(std::string(error.what()) + weights::detail::did_you_mean(name, option_names()));
  } catch (const po::error& error) {
    throw OptionError(std::string(error.what()) + "\n" + kUsage);
  }
  return values;
}

/// An option that the verb does not know is an error, and not nothing.
void refuse_others(const std::string& verb, const po::variables_map& values, const po::options_description& known) {
  for (const auto& [name, value] : values)
    if (name != "words" && known.find_nothrow(name, false) == nullptr)
      throw OptionError("--" + name + " is no option of " + verb);
}

/// Empty when it was not given.
std::string text_of(const po::variables_map& values, const char* name) {
  return values.count(name) > 0 ? values[name].as<std::string>() : std::string();
}

weights::ConvertRequest read_request(const po::variables_map& values, const std::filesystem::path& source) {
  const auto text = [&](const char* name) { return text_of(values, name); };
  weights::ConvertRequest request;
  request.source = source;
  request.target = text("to");
  if (request.target.empty()) throw OptionError("convert: expected --to DIR, the folder of the new bundle");
  request.base = text("base");
  request.vae = text("vae");
  request.text_encoder = text("text-encoder");
  request.text_encoder_2 = text("text-encoder-2");
  request.variant = text("variant");
  if (!request.variant.empty() && request.variant != "t2v" && request.variant != "token-replace")
    throw OptionError("--variant " + request.variant + ": expected t2v or token-replace");
  if (values.count("lora") > 0) request.loras = weights::parse_loras(values["lora"].as<std::vector<std::string>>());
  request.name = text("name");
  request.distilled = values.count("distilled") > 0;
  if (values.count("steps") > 0) request.steps = values["steps"].as<int>();
  if (values.count("shift") > 0) request.shift = values["shift"].as<double>();
  if (values.count("guidance") > 0) request.guidance = values["guidance"].as<double>();
  return request;
}

weights::QuantizeRequest read_eight_bit(const po::variables_map& values, const std::filesystem::path& source,
                                        bool dry_run) {
  const auto text = [&](const char* name) { return text_of(values, name); };
  weights::QuantizeRequest request;
  request.source = source;
  request.target = text("to");
  request.name = text("name");
  request.form.modulation = values.count("modulation") > 0;
  const std::string format = text("format");
  if (dry_run) return request;
  if (format != "int8" && format != "fp8")
    throw OptionError("quantize: --format " + (format.empty() ? "is missing" : format) + ": expected int8 or fp8");
  if (request.target.empty()) throw OptionError("quantize: expected --to DIR, the folder of the new bundle");
  request.form.dtype = format == "int8" ? weights::DType::i8 : weights::DType::f8_e4m3;
  return request;
}

po::options_description options_of(Verb verb) {
  if (verb == Verb::convert) return convert_options();
  if (verb != Verb::quantize) return look_options();
  po::options_description options = quantize_options();
  options.add_options()("to", "")("name", "")("no-cache", "");
  return options;
}

std::optional<Verb> verb_of(const std::string& word) {
  if (word == "inspect") return Verb::inspect;
  if (word == "verify") return Verb::verify;
  if (word == "convert") return Verb::convert;
  if (word == "quantize") return Verb::quantize;
  return std::nullopt;
}

}  // namespace

std::optional<BundleCommand> read_options(int argc, const char* const* argv) {
  const po::variables_map values = parse(argc, argv);
  const auto words =
      values.count("words") > 0 ? values["words"].as<std::vector<std::string>>() : std::vector<std::string>{};
  if (values.count("help") > 0) {
    std::cout << kUsage << visible_options();
    return std::nullopt;
  }
  if (words.empty()) throw OptionError(std::string("expected inspect, verify, convert or quantize\n") + kUsage);
  const auto verb = verb_of(words[0]);
  if (!verb) throw OptionError("unknown command \"" + words[0] + "\"\n" + kUsage);
  if (words.size() != 2)
    throw OptionError(words[0] + ": expected one folder or file, found " + std::to_string(words.size() - 1));
  BundleCommand command;
  command.verb = *verb;
  command.folder = words[1];
  refuse_others(words[0], values, options_of(*verb));
  command.dry_run = values.count("dry-run") > 0;
  if (*verb == Verb::convert) command.request = read_request(values, command.folder);
  if (*verb == Verb::quantize) command.eight_bit = read_eight_bit(values, command.folder, command.dry_run);
  command.json = values.count("json") > 0;
  if (values.count("no-cache") == 0)
    command.cache = weights::digest_cache_file(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
  command.eight_bit.cache = command.cache;
  return command;
}

}  // namespace reelfarm::bundle
