// One forward of a bundle's transformer on 1 and on N ranks of this machine, one thread each: under mpirun -n N. Of
// every mesh the speed-up, next to that of N ranks which render alone at the same time, and what each exchange costs,
// next to an exchange of the same size by ranks that do nothing else. Medians; random latents and text.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "bench/parallel/measured_group.hpp"
#include "parallel/mpi_session.hpp"
#include "pipeline/dit/sharded_forward.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/schedulers/flow_match.hpp"

namespace {

using namespace reelfarm;

constexpr int kRepeats = 5;

struct Clip {
  std::int64_t frames = 16;
  std::int64_t height = 24;
  std::int64_t width = 40;
};

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The median of runs that all ranks begin together.
double median_seconds(parallel::ProcessGroup& group, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < kRepeats; ++i) {
    group.barrier();
    times.push_back(seconds(work));
  }
  std::ranges::sort(times);
  return times[kRepeats / 2];
}

class Bench {
 public:
  Bench(const dit::Transformer& transformer, parallel::ProcessGroup& world, const Clip& clip)
      : transformer_(transformer),
        world_(world),
        clip_(clip),
        latents_(at::randn({1, transformer.config().in_channels, clip.frames, clip.height, clip.width})),
        prepared_(transformer.prepare(
            {at::randn({32, transformer.config().text_dim}), at::randn({transformer.config().pooled_dim})},
            schedulers::flow_match_schedule(4, 5.0).timesteps,
            transformer.config().guidance ? std::optional(1.0F) : std::nullopt)) {}

  void run() const {
    const bool first = world_.rank() == 0;
    const auto layout = transformer_.layout(clip_.frames, clip_.height, clip_.width);
    const auto whole = [&] { transformer_.forward(latents_, layout, prepared_, 1); };
    const double alone = median_seconds(world_, [&] {
      if (first) whole();
    });
    const double at_once = median_seconds(world_, whole);
    if (first) {
      std::printf("%lld tokens, %lld heads, fp32, 1 thread a rank; one rank: %.3f s\n",
                  static_cast<long long>(layout.shard.count), static_cast<long long>(transformer_.config().num_heads),
                  alone);
      std::printf("ceiling of the speed-up: %.2f (%d ranks at once take %.3f s for a forward each)\n",
                  world_.size() * alone / at_once, world_.size(), at_once);
    }
    for (int ulysses = 1; ulysses <= world_.size(); ++ulysses) {
      if (world_.size() % ulysses != 0 || transformer_.config().num_heads % ulysses != 0) continue;
      measure({ulysses, world_.size() / ulysses}, alone);
    }
  }

 private:
  void measure(const parallel::MeshShape& shape, double alone) const {
    bench::Costs costs;
    bench::MeasuredGroup group(world_, costs);
    const parallel::Mesh mesh(group, shape);
    const dit::ShardedForward forward(transformer_, group, mesh, clip_.frames, clip_.height, clip_.width);
    forward(latents_, prepared_, 1);
    costs.clear();
    const double together = median_seconds(world_, [&] { forward(latents_, prepared_, 1); });
    if (world_.rank() == 0) {
      std::printf("mesh %s: %.3f s, speed-up %.2f\n", to_string(shape).c_str(), together, alone / together);
    }
    for (const auto& [operation, cost] : costs) {
      if (cost.bytes > 0) report(operation, cost, together);  // a row of one rank has nobody to send to
    }
  }

  /// Collective, as all ranks have the same operations.
  void report(const std::string& operation, const bench::Cost& cost, double together) const {
    const double own = cost.seconds / kRepeats;
    const auto calls = cost.calls / kRepeats;
    const double megabytes = static_cast<double>(cost.bytes) / static_cast<double>(cost.calls) * 1e-6;
    const double bare = bare_seconds(cost.bytes / cost.calls);
    if (world_.rank() != 0) return;
    std::printf(
        "  %-12s %3lld calls of %7.3f MB: %.3f s of waiting, %4.1f %% of the forward; %.2f GB/s, bare %.2f GB/s\n",
        operation.c_str(), static_cast<long long>(calls), megabytes, own, 100 * own / together,
        megabytes * 1e-3 * static_cast<double>(calls) / own, megabytes * 1e-3 / bare);
  }

  /// Of sending so many bytes to a neighbour, in ranks that have come together and do nothing else.
  double bare_seconds(std::int64_t bytes) const {
    const at::Tensor out = at::zeros({bytes}, at::kByte);
    const at::Tensor in = at::empty_like(out);
    const int ranks = world_.size();
    return median_seconds(world_, [&] {
      world_.exchange({{out, (world_.rank() + 1) % ranks}}, {{in, (world_.rank() + ranks - 1) % ranks}}, "bare")
          ->wait();
    });
  }

  const dit::Transformer& transformer_;
  parallel::ProcessGroup& world_;
  Clip clip_;
  at::Tensor latents_;
  dit::Prepared prepared_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    parallel::MpiSession session(argc, argv);
    const auto world = parallel::MpiSession::world();
    if ((argc != 2 && argc != 5) || world->size() < 2) {
      std::fprintf(stderr,
                   "usage: mpirun -n N bench_parallel TRANSFORMER-FOLDER [FRAMES HEIGHT WIDTH of the latents]\n");
      return 2;
    }
    at::set_num_threads(1);
    at::manual_seed(1);  // all ranks need the same latents and text
    const std::string folder = argv[1];
    const dit::Transformer transformer(
        nn::ParameterReader(weights::TensorSource::open(folder), {c10::kCPU, at::kFloat}),
        dit::DitConfig::from_file(folder + "/config.json"));
    Clip clip;
    if (argc == 5) clip = {std::stoll(argv[2]), std::stoll(argv[3]), std::stoll(argv[4])};
    Bench(transformer, *world, clip).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_parallel: %s\n", error.what());
    return 1;
  }
}
