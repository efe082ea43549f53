#include "coordinator/options.hpp"

#include <boost/program_options.hpp>
#include <charconv>
#include <iostream>

namespace reelfarm::coordinator {
namespace {

namespace po = boost::program_options;

std::string from_environment(const std::string& name) {
  if (name == "REELFARM_REDIS") return "redis";
  if (name == "REELFARM_DATA") return "data";
  if (name == "REELFARM_FARM") return "farm";
  if (name == "REELFARM_OUTPUT_ROOT") return "output-root";
  if (name == "REELFARM_HIGH_WATER") return "high-water";
  if (name == "REELFARM_LISTEN") return "listen";
  if (name == "REELFARM_TOKEN_FILE") return "token-file";
  if (name == "REELFARM_NOTIFY") return "notify";
  if (name == "REELFARM_LOG_FORMAT") return "log-format";
  return {};
}

/// "95%" or "95".
double percent_from(const std::string& text) {
  double percent = 0;
  const char* const last = text.data() + text.size() - (text.ends_with('%') ? 1 : 0);
  const auto [end, error] = std::from_chars(text.data(), last, percent);
  if (error != std::errc() || end != last || !(percent > 0 && percent <= 100)) {
    throw OptionError("--high-water '" + text + "': give a part of the disk above 0% and up to 100%, for example 95%");
  }
  return percent;
}

}  // namespace

std::optional<ProgramOptions> read_options(int argc, char** argv) {
  ProgramOptions program;
  CoordinatorOptions& command = program.coordinator;
  std::string listen;
  std::string token_file;
  std::string data;
  std::string output_root;
  std::string high_water;
  std::string notify;
  po::options_description options(
      "reelfarm-coordinator: judges and plans what is submitted, ends leases that ran out, puts copies of videos "
      "where\n"
      "jobs ask for them. Several may run at once. SIGTERM stops it.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("redis", po::value(&command.store.url)->required(),
      "the farm's queue: redis://[:PASSWORD@]HOST:PORT[/DB], unix:///PATH, or file:///PATH of a file with one of "
      "these, read at every connect");
  add("data", po::value(&data)->required(), "the farm's data folder");
  add("output-root", po::value(&output_root), "folder below which jobs may have copies put by --output");
  add("high-water", po::value(&high_water)->default_value("95%"),
      "part of DATA's disk above which no new window is rendered; videos are still stitched");
  add("listen", po::value(&listen),
      "HOST:PORT of the status page, its API and the metrics; an address that other machines reach needs a token");
  add("token-file", po::value(&token_file), "file with the token of the page, one line, readable by its owner only");
  add("notify", po::value(&notify), "file that says who is told what comes about (docs/notifications.md)");
  add("log-format", po::value(&program.log_format)->default_value(logging::Format::text, "text"),
      "text, or json: one object a line");
  add("farm", po::value(&command.store.farm)->default_value(command.store.farm), "name of the farm in a shared Redis");
  add("allow-volatile", po::bool_switch(&command.store.allow_volatile), "accept a Redis without persistence");
  try {
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, options,
                                     po::command_line_style::unix_style & ~po::command_line_style::allow_guessing),
              values);
    if (values.contains("help")) {
      std::cout << options;
      return std::nullopt;
    }
    po::store(po::parse_environment(options, from_environment), values);
    po::notify(values);
  } catch (const po::error& error) {
    throw OptionError(error.what());
  }
  command.high_water = percent_from(high_water);
  command.data = std::filesystem::absolute(data);
  if (!output_root.empty()) {
    command.output_root = std::filesystem::absolute(output_root);
    if (!std::filesystem::is_directory(command.output_root)) {
      throw OptionError("--output-root " + command.output_root.string() + " is not a folder");
    }
  }
  if (!listen.empty()) {
    page::PageOptions& page = program.page.emplace();
    page.server.listen = http::parse_address(listen);
    if (!token_file.empty()) page.server.token = http::Token::from_file(token_file);
    page.store = command.store;
    page.data = queue::DataFolder(command.data);
  }
  if (!notify.empty()) {
    program.notify.emplace();
    program.notify->store = command.store;
    program.notify->config = notify::read_config(notify);
  }
  return program;
}

}  // namespace reelfarm::coordinator
