#include "worker/ranks/options.hpp"

#include <boost/program_options.hpp>
#include <iostream>

namespace reelfarm::worker {

namespace po = boost::program_options;

std::optional<RanksOptions> read_options(int argc, char** argv) {
  RanksOptions read;
  std::string bundle;
  std::string data;
  std::string socket;
  po::options_description options(
      "reelfarm-ranks: renders what its agent (reelfarm-worker) tells it. Started by the agent under mpirun, not by "
      "hand.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("self-test", po::bool_switch(&read.self_test),
      "instead: try MPI, and the GPUs and NCCL where there are any, and say on stdout what came of it, one JSON object "
      "a "
      "line");
  add("bundle", po::value(&bundle)->required(), "folder with the weights");
  add("data", po::value(&data)->required(), "the farm's data folder");
  add("agent-socket", po::value(&socket)->required(), "where the agent listens");
  add("device", po::value(&read.device)->default_value(read.device), "auto, cpu or cuda");
  add("dtype", po::value(&read.dtype)->default_value(read.dtype), "auto, fp32, bf16, fp8, int8 (weights) or w8a8");
  add("gpu", po::value(&read.gpu)->default_value(0), "place of the first rank among the visible GPUs");
  add("mesh", po::value(&read.mesh), "ulysses x ring, as UxR");
  add("tiles", po::value(&read.tiles)->default_value(read.tiles),
      "tile plan of the VAE; auto: diffusers, or diffusers-spatial where memory is short");
  add("max-memory", po::value(&read.max_memory), "of each GPU, such as 16G; all of it unless given");
  add("threads", po::value(&read.threads)->default_value(0), "CPU threads a rank; 0: cores / ranks");
  add("log-format", po::value(&read.log_format)->default_value(logging::Format::text, "text"),
      "text, or json: one object a line");
  po::variables_map values;
  try {
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.contains("help")) {
      std::cout << options;
      return std::nullopt;
    }
    // What rendering needs is not asked for then.
    if (values["self-test"].as<bool>()) {
      read.self_test = true;
      return read;
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw OptionError(error.what());
  }
  if (read.threads < 0) throw OptionError("--threads " + std::to_string(read.threads) + ": expected 0 or more");
  if (read.gpu < 0) throw OptionError("--gpu " + std::to_string(read.gpu) + ": expected 0 or more");
  read.bundle = bundle;
  read.data = data;
  read.agent_socket = socket;
  return read;
}

}  // namespace reelfarm::worker
