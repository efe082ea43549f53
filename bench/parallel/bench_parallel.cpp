// One forward of a bundle's transformer, and one decode of its VAE, on 1 and on N ranks of this machine: under mpirun
// -n N. Of every mesh the speed-up, next to that of N ranks which work alone at the same time, and what each exchange
// costs, next to an exchange of the same size by ranks that do nothing else. Medians; random latents and text.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "bench/parallel/decode_scaling.hpp"
#include "bench/parallel/forward_scaling.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/nccl_process_group.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/render/gpu_choice.hpp"

namespace {

using namespace reelfarm;

constexpr const char* kUsage =
    "usage: mpirun -n N bench_parallel BUNDLE [cpu|cuda [FRAMES HEIGHT WIDTH [TEXT]]]   (of the latents; text tokens)\n"
    "BUNDLE has transformer/ and perhaps vae/; fp32 and one thread a rank on the CPU, bf16 on GPUs, one a rank\n";

void run(parallel::ProcessGroup& world, const std::string& folder, const nn::Placement& placement,
         const bench::Clip& clip) {
  at::manual_seed(1);  // all ranks need the same latents and text
  const std::string part = folder + "/transformer";
  {
    const dit::Transformer transformer(nn::ParameterReader(weights::TensorSource::open(part), placement),
                                       dit::DitConfig::from_file(part + "/config.json"));
    bench::ForwardScaling(transformer, world, clip).run();
  }
  if (!std::filesystem::exists(folder + "/vae")) return;
  const auto vae = vae::CausalVae::open(folder + "/vae", placement);
  bench::decode_scaling(*vae, world, clip);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // under mpirun it is a pipe, and a run may be ended
    const std::string device_name = argc > 2 ? argv[2] : "cpu";
    render::take_own_gpu(device_name, 0, std::getenv(parallel::MpiSession::kLocalRank),
                         std::getenv(render::kVisibleGpus));
    parallel::MpiSession session(argc, argv);
    auto mpi = parallel::MpiSession::world(std::chrono::minutes(5));
    if (argc < 2 || argc == 4 || argc == 5 || argc > 7 || mpi->size() < 2) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    bench::Clip clip;
    if (argc > 5) clip = {std::stoll(argv[3]), std::stoll(argv[4]), std::stoll(argv[5])};
    if (argc > 6) clip.text = std::stoll(argv[6]);
    const c10::Device device = nn::resolve_device(device_name);
    at::set_num_threads(1);
    const auto world = parallel::group_on(device, std::move(mpi));
    run(*world, argv[1], {device, device.is_cuda() ? at::kBFloat16 : at::kFloat}, clip);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_parallel: %s\n", error.what());
    return 1;
  }
}
