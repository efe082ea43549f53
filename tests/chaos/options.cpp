#include "tests/chaos/options.hpp"

#include <spdlog/fmt/fmt.h>

#include <boost/program_options.hpp>
#include <iostream>

namespace reelfarm::chaos {
namespace {

namespace po = boost::program_options;

void check(const char* option, int value, int least, int most) {
  if (value >= least && value <= most) return;
  throw OptionError(fmt::format("--{} {}: expected {} to {}", option, value, least, most));
}

}  // namespace

std::optional<CampaignOptions> read_options(int argc, char** argv) {
  CampaignOptions read;
  std::string bundle;
  std::string photo;
  int patience_s = 0;
  int limit_s = 0;
  po::options_description options(
      "reelfarm-chaos: renders jobs on a farm of its own, undisturbed and then among faults, and compares.\n"
      "Exit code 0: nothing lost, nothing done twice, every video byte-identical.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("bundle", po::value(&bundle)->required(), "folder with weights; small ones");
  add("photo", po::value(&photo)->required(), "PNG, first frame of every video");
  add("seed", po::value(&read.seed)->default_value(read.seed), "decides the faults and when they come");
  add("faults", po::value(&read.faults)->default_value(read.faults), "how many");
  add("groups", po::value(&read.farm.groups)->default_value(read.farm.groups), "worker groups of the farm");
  add("ranks", po::value(&read.farm.ranks)->default_value(read.farm.ranks), "of each group; they share every window");
  add("jobs", po::value(&read.jobs.jobs)->default_value(read.jobs.jobs), "videos that are rendered at a time");
  add("frames", po::value(&read.jobs.frames)->default_value(read.jobs.frames), "of each video");
  add("steps", po::value(&read.jobs.steps)->default_value(read.jobs.steps), "of denoising, per window");
  add("patience", po::value(&patience_s)->default_value(120), "seconds without any event after which the farm hangs");
  add("limit", po::value(&limit_s)->default_value(3600), "seconds that it may take in all");
  try {
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.contains("help")) {
      std::cout << options;
      return std::nullopt;
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw OptionError(error.what());
  }
  check("faults", read.faults, 0, 100'000);
  check("groups", read.farm.groups, 1, 64);
  check("ranks", read.farm.ranks, 1, 64);
  check("jobs", read.jobs.jobs, 1, 1000);
  check("patience", patience_s, 1, 86'400);
  check("limit", limit_s, 1, 7 * 86'400);
  read.farm.bundle = std::filesystem::absolute(bundle);
  read.jobs.photo = std::filesystem::absolute(photo);
  read.patience = std::chrono::seconds(patience_s);
  read.limit = std::chrono::seconds(limit_s);
  return read;
}

std::string command_line(const CampaignOptions& options) {
  return fmt::format(
      "reelfarm-chaos --bundle {} --photo {} --seed {} --faults {} --groups {} --ranks {} --jobs {} --frames {} "
      "--steps {}",
      options.farm.bundle.string(), options.jobs.photo.string(), options.seed, options.faults, options.farm.groups,
      options.farm.ranks, options.jobs.jobs, options.jobs.frames, options.jobs.steps);
}

}  // namespace reelfarm::chaos
