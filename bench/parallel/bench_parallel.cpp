// Forwards of a bundle's transformer and decodes of its VAE by the ranks of this machine: under mpirun -n N. Reads a
// line per measurement from rank 0's input and answers each with one JSON object a line:
//
//   forward FRAMES UxR      one forward over all ranks, and what each exchange costs next to a bare one of that size
//   forward FRAMES alone    each rank computes a whole one, all at once
//   decode FRAMES TILES     one decode to 8-bit frames in host memory, with that tile plan
//
// FRAMES are those of the latents. Medians; random latents and text.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "bench/models/measured.hpp"
#include "bench/parallel/decode_scaling.hpp"
#include "bench/parallel/forward_scaling.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/nccl_process_group.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/render/gpu_choice.hpp"

namespace {

using namespace reelfarm;

constexpr const char* kUsage =
    "usage: mpirun -n N bench_parallel BUNDLE cpu|cuda fp32|bf16|fp8|fp8-linears HEIGHT WIDTH TEXT   "
    "(of the latents; text tokens)\n"
    "one thread a rank on the CPU, a GPU each on GPUs\n";

/// What the lines ask for, by all ranks; weights are loaded when they are first needed.
class Measurements {
 public:
  Measurements(parallel::ProcessGroup& world, std::string bundle, const nn::Placement& placement,
               const bench::Clip& clip)
      : world_(world), bundle_(std::move(bundle)), placement_(placement), clip_(clip) {}

  /// Collective.
  nlohmann::json measure(const std::string& line) {
    std::istringstream words(line);
    std::string what;
    std::string how;
    words >> what >> clip_.frames >> how;
    if (what != "forward" && what != "decode")
      throw std::invalid_argument("'" + line + "': expected forward or decode");
    at::manual_seed(1);  // all ranks need the same latents and text
    if (what == "decode") return bench::decode_scaling(vae(), world_, clip_, how);
    const bench::ForwardScaling forward(transformer(), world_, clip_);
    if (how == "alone") return forward.alone();
    return forward.over(parallel::parse_mesh(how, world_.size(), transformer().config().num_heads));
  }

 private:
  const dit::Transformer& transformer() {
    const std::string part = bundle_ + "/transformer";
    if (!transformer_) {
      transformer_.emplace(nn::ParameterReader(weights::TensorSource::open(part), placement_),
                           dit::DitConfig::from_file(part + "/config.json"));
    }
    return *transformer_;
  }

  const vae::CausalVae& vae() {
    if (!vae_) vae_ = vae::CausalVae::open(bundle_ + "/vae", placement_);
    return *vae_;
  }

  parallel::ProcessGroup& world_;
  std::string bundle_;
  nn::Placement placement_;
  bench::Clip clip_;
  std::optional<dit::Transformer> transformer_;
  std::unique_ptr<vae::CausalVae> vae_;
};

void serve(parallel::ProcessGroup& world, Measurements& measurements) {
  for (;;) {
    std::string line;
    if (world.rank() == 0) std::getline(std::cin, line);
    line = world.broadcast_text(line, 0);
    if (line.empty()) return;
    const nlohmann::json answer = measurements.measure(line);
    if (world.rank() == 0) std::cout << answer.dump() << std::endl;
  }
}

void run(char** words, std::unique_ptr<parallel::ProcessGroup> mpi) {
  const c10::Device device = nn::resolve_device(words[2]);
  const nn::Placement placement = bench::placement_of(words[3], device);
  at::set_num_threads(1);
  const auto world = parallel::group_on(device, std::move(mpi));
  Measurements measurements(*world, words[1], placement,
                            {0, std::stoll(words[4]), std::stoll(words[5]), std::stoll(words[6])});
  serve(*world, measurements);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  render::take_own_gpu(argv[2], 0, std::getenv(parallel::MpiSession::kLocalRank), std::getenv(render::kVisibleGpus));
  parallel::MpiSession session(argc, argv);
  try {
    run(argv, parallel::MpiSession::world(std::chrono::minutes(5)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_parallel: %s\n", error.what());
    // Other ranks may wait for this one.
    parallel::MpiSession::abort_world(1);
  }
}
