// A whole clip in one window: encoders, steps, decode, finished 8-bit frames in host memory. Answers first with the
// most GiB of tensors on the GPU while loading. Reads a line per clip, "FRAMES SEED PROMPT"; answers with a line of
// seconds: all, until the first step began, the steps, the decode; then the most GiB of tensors on the GPU meanwhile. A
// clip's frames go to OUT/SEED_FRAMES.raw as (F, H, W, 3) uint8 where OUT is given, its latents (1, 16, L, h, w) fp32
// beside them to .latents. The first frame is IMAGES/SEED.raw (H, W,
// 3) uint8; where there is none the bundle's text-to-image part makes it, outside of the time, and it is written there.
// With MAX_MEMORY, such as 16G, weights lie where --max-memory would have them for windows of 121 frames, and the plan
// goes to stderr.
// Under mpirun -n N all ranks render each clip together, over the mesh that reelfarm would choose; rank 0 reads,
// answers and writes.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "bench/models/measured.hpp"
#include "parallel/mpi_session.hpp"
#include "pipeline/nn/cuda_backend.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/render/follower.hpp"
#include "pipeline/render/gpu_choice.hpp"
#include "pipeline/render/memory_choice.hpp"
#include "pipeline/render/renderer.hpp"

namespace {

using namespace reelfarm;

struct Command {
  std::filesystem::path bundle;
  std::string dtype;
  std::string device;
  int width;
  int height;
  std::string tiles;
  std::filesystem::path images;
  std::filesystem::path out;
  std::string max_memory;
};

/// What the plan is for; a bench that renders less has room to spare.
constexpr std::int64_t kLongestWindow = 121;

void write_bytes(const std::filesystem::path& path, const at::Tensor& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::streamsize>(bytes.nbytes()));
}

at::Tensor first_frame(const render::Renderer& renderer, const Command& command, const render::WindowRequest& request) {
  const std::filesystem::path path = command.images / (std::to_string(request.seed) + ".raw");
  at::Tensor frame;
  if (std::filesystem::exists(path)) {
    frame = at::empty({command.height, command.width, 3}, at::kByte);
    std::ifstream(path, std::ios::binary)
        .read(static_cast<char*>(frame.mutable_data_ptr()), static_cast<std::streamsize>(frame.nbytes()));
  } else {
    frame = renderer.first_frame(request.prompt, command.width, command.height, request.seed).contiguous();
    write_bytes(path, frame);
  }
  return frame.unsqueeze(0);
}

void clip(const render::Renderer& renderer, const Command& command, std::int64_t count, render::WindowRequest request) {
  request.condition = first_frame(renderer, command, request);
  bench::peak_gib(renderer.options().placement.device);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  const Clock::time_point begin = Clock::now();
  double encoded = 0;
  const at::Tensor latents = renderer.denoise(request, [&](const render::Progress& progress) {
    if (progress.phase == render::Phase::encode && progress.fraction >= 1.0) encoded = since(begin);
  });
  bench::finish(latents);
  const double denoised = since(begin);
  at::Tensor frames = at::empty({count, command.height, command.width, 3}, at::kByte);
  renderer.decode(latents, {}, [&](const render::DecodedFrames& chunk) {
    frames.narrow(0, chunk.first_frame, chunk.rgb8.size(0)).copy_(chunk.rgb8);
  });
  const double all = since(begin);
  std::cout << all << ' ' << encoded << ' ' << denoised - encoded << ' ' << all - denoised << ' '
            << bench::peak_gib(renderer.options().placement.device) << std::endl;
  if (command.out.empty()) return;
  const std::string name = std::to_string(request.seed) + "_" + std::to_string(count);
  write_bytes(command.out / (name + ".raw"), frames);
  write_bytes(command.out / (name + ".latents"), latents.to(at::kCPU, at::kFloat).contiguous());
}

void lead(const Command& command, const weights::Bundle& bundle, const nn::Placement& placement,
          const std::string& tiles, const render::Residency& residency, const render::RankGroups* ranks) {
  const render::Renderer renderer(bundle, {placement, tiles, ranks, residency});
  std::cout << bench::peak_gib(placement.device) << std::endl;
  render::WindowRequest request;
  request.width = command.width;
  request.height = command.height;
  request.steps = renderer.manifest().sampling.steps;
  request.shift = renderer.manifest().sampling.shift;
  request.guidance = renderer.manifest().sampling.guidance;
  std::int64_t frames = 0;
  while (std::cin >> frames >> request.seed && std::getline(std::cin >> std::ws, request.prompt)) {
    request.num_latents = (frames - 1) / renderer.manifest().vae_scale_temporal + 1;
    clip(renderer, command, frames, request);
  }
}

void run(const Command& command, std::unique_ptr<parallel::ProcessGroup> world) {
  const weights::Bundle bundle = weights::Bundle::open(command.bundle);
  render::MemoryPlan plan;
  if (command.max_memory.empty()) {
    if (command.device != "cpu") nn::set_up_cuda_memory(0);
    plan.placement = bench::placement_of(command.dtype, nn::resolve_device(command.device));
    plan.tiles = command.tiles;
  } else {
    plan = render::choose_memory(bundle, {command.device, command.dtype, command.tiles, command.max_memory},
                                 command.width, command.height, kLongestWindow, world->size())
               .plan;
    if (world->rank() == 0) std::cerr << plan.text << std::endl;
  }
  const nn::Placement& placement = plan.placement;
  if (world->size() == 1) return lead(command, bundle, placement, plan.tiles, plan.residency, nullptr);
  const auto mesh = render::mesh_for(bundle, "", world->size(), parallel::MpiSession::ranks_of_each_machine(*world));
  const render::RankGroups ranks =
      render::rank_groups(std::move(world), parallel::MpiSession::world(), mesh, placement.device);
  if (ranks.denoise->rank() == 0) return lead(command, bundle, placement, plan.tiles, plan.residency, &ranks);
  render::Follower(bundle, placement, ranks, plan.residency).run();
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  if (argc < 9 || argc > 11) {
    std::cerr
        << "usage: [mpirun -n N] bench_clip BUNDLE fp32|bf16|fp8|fp8-linears|int8|w8a8 THREADS cpu|cuda WIDTH HEIGHT "
           "TILES IMAGES [OUT [MAX_MEMORY]]\nOUT may be empty\n";
    return 2;
  }
  const Command command{argv[1],
                        argv[2],
                        argv[4],
                        std::stoi(argv[5]),
                        std::stoi(argv[6]),
                        argv[7],
                        argv[8],
                        argc > 9 ? argv[9] : "",
                        argc > 10 ? argv[10] : ""};
  render::take_own_gpu(command.device, 0, std::getenv(parallel::MpiSession::kLocalRank),
                       std::getenv(render::kVisibleGpus));
  parallel::MpiSession session(argc, argv);
  at::set_num_threads(std::stoi(argv[3]));
  try {
    run(command, parallel::MpiSession::world());
  } catch (const std::exception& error) {
    std::cerr << "bench_clip: " << error.what() << std::endl;
    // Other ranks may wait for this one.
    parallel::MpiSession::abort_world(1);
  }
  return 0;
}
