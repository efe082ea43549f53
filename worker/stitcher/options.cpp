#include "worker/stitcher/options.hpp"

#include <boost/program_options.hpp>
#include <iostream>
#include <string>

#include "queue/host_name.hpp"

namespace reelfarm::worker {
namespace {

namespace po = boost::program_options;

std::string from_environment(const std::string& name) {
  if (name == "REELFARM_REDIS") return "redis";
  if (name == "REELFARM_DATA") return "data";
  if (name == "REELFARM_FARM") return "farm";
  if (name == "REELFARM_LOG_FORMAT") return "log-format";
  return {};
}

}  // namespace

std::optional<StitcherCommand> read_stitcher_options(int argc, char** argv) {
  StitcherCommand command;
  StitcherOptions& stitcher = command.stitcher;
  std::string data;
  double lease_s = 0;
  double settle_s = 0;
  po::options_description options(
      "reelfarm-stitcher: merges the windows of jobs into videos while they are rendered. CPU only; one serves many\n"
      "jobs, and several may run at once. SIGTERM gives its tasks back and stops it.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("redis", po::value(&stitcher.store.url)->required(),
      "the farm's queue: redis://[:PASSWORD@]HOST:PORT[/DB], unix:///PATH, or file:///PATH of a file with one of "
      "these, read at every connect");
  add("data", po::value(&data)->required(), "the farm's data folder");
  add("follow", po::value(&stitcher.follow)->default_value(stitcher.follow),
      "jobs whose windows are merged as they come; each takes an encoder's memory");
  add("threads", po::value(&stitcher.encoding.threads)->default_value(stitcher.encoding.threads),
      "encoder threads; part of what decides the bytes of a video");
  add("preset", po::value(&stitcher.encoding.preset), "encoder preset; default: the codec's (H.264: medium)");
  add("lease", po::value(&lease_s)->default_value(15), "seconds a lease lasts without a sign of life");
  add("settle", po::value(&settle_s)->default_value(60),
      "seconds before a published file that cannot be found or read is made again: a network file system may show it "
      "late");
  add("farm", po::value(&stitcher.store.farm)->default_value(stitcher.store.farm),
      "name of the farm in a shared Redis");
  add("allow-volatile", po::bool_switch(&stitcher.store.allow_volatile), "accept a Redis without persistence");
  add("log-format", po::value(&command.log_format)->default_value(logging::Format::text, "text"),
      "text, or json: one object a line");
  add("host", po::value(&stitcher.host)->default_value(queue::host_name()), "this machine's name in the farm");
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
    throw StitcherOptionError(error.what());
  }
  if (stitcher.follow < 1 || stitcher.follow > 1000) {
    throw StitcherOptionError("--follow " + std::to_string(stitcher.follow) + ": expected 1 to 1000");
  }
  if (stitcher.encoding.threads < 1 || stitcher.encoding.threads > 64) {
    throw StitcherOptionError("--threads " + std::to_string(stitcher.encoding.threads) + ": expected 1 to 64");
  }
  if (!(lease_s >= 0.1 && lease_s <= 3600)) throw StitcherOptionError("--lease: expected 0.1 to 3600 seconds");
  stitcher.store.lease = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(lease_s));
  if (!(settle_s >= 0 && settle_s <= 3600)) throw StitcherOptionError("--settle: expected 0 to 3600 seconds");
  stitcher.store.retry.input_settle =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(settle_s));
  stitcher.data = std::filesystem::absolute(data);
  return command;
}

}  // namespace reelfarm::worker
