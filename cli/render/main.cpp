// reelfarm-render: one clip or one long video, without a queue.
#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "cli/render/long_clip.hpp"
#include "cli/render/options.hpp"
#include "parallel/all_or_none.hpp"
#include "parallel/mpi_session.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/render/follower.hpp"
#include "pipeline/render/gpu_choice.hpp"
#include "pipeline/render/memory_choice.hpp"
#include "pipeline/video/errors.hpp"
#include "pipeline/weights/quantize.hpp"

namespace {

using namespace reelfarm;

constexpr int kBadInput = 2;

/// A bar on a terminal, one line per change of phase otherwise; both on stderr.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::size_t windows) : windows_(windows), terminal_(::isatty(STDERR_FILENO) != 0) {}
  ~ProgressDisplay() { end_line(); }

  void show(std::size_t window, const render::Progress& progress) {
    const std::string phase = render::name_of(progress.phase);
    std::string line = "window " + std::to_string(window + 1) + "/" + std::to_string(windows_) + "  " + phase;
    if (progress.phase == render::Phase::step)
      line += " " + std::to_string(progress.step) + "/" + std::to_string(progress.steps);
    if (terminal_) {
      constexpr int kWidth = 30;
      const int filled = static_cast<int>(progress.fraction * kWidth);
      std::fprintf(stderr, "\r%-30s [%s%s] %3d %%", line.c_str(),
                   std::string(static_cast<std::size_t>(filled), '#').c_str(),
                   std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(),
                   static_cast<int>(progress.fraction * 100));
      open_line_ = true;
    } else if (line != last_) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    last_ = line;
  }

  void end_line() {
    if (open_line_) std::fputc('\n', stderr);
    open_line_ = false;
  }

 private:
  std::size_t windows_;
  bool terminal_;
  bool open_line_ = false;
  std::string last_;
};

/// What is known before the weights are loaded.
struct Plan {
  weights::Bundle bundle;
  render::ClipPlan clip;
  render::MemoryChoice memory;
};

/// Kept apart where they are to be, or where the products' weights are in 8 bits, in which sums would be rounded again.
std::vector<weights::Lora> loras_of(const render::RenderCommand& command) {
  std::vector<weights::Lora> loras = weights::parse_loras(command.loras);
  if (loras.empty()) return loras;
  const bool eight_bits = command.dtype == "int8" || command.dtype == "w8a8" || command.dtype == "fp8" ||
                          weights::quantization_of(command.bundle).has_value();
  for (weights::Lora& lora : loras) lora.apart = command.loras_apart || eight_bits;
  return loras;
}

/// Everything that can be refused is refused here.
Plan plan_of(const render::RenderCommand& command, int ranks) {
  weights::Bundle bundle = weights::Bundle::open(command.bundle);
  bundle.add_loras(loras_of(command));
  render::ClipPlan clip = render::plan_clip(command, bundle.manifest());
  render::MemoryChoice memory = render::choose_memory(
      bundle, {command.device, command.dtype, command.tiles, command.max_memory}, clip.size.rendered.width,
      clip.size.rendered.height, windows::frames_of_latents(clip.grid.window_latents), ranks);
  return {std::move(bundle), std::move(clip), std::move(memory)};
}

void use_threads(int asked, int ranks_of_machine) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(asked > 0 ? asked : std::max(1, cores / ranks_of_machine));
}

int lead(const render::RenderCommand& command, const Plan& plan, const render::RankGroups* ranks) {
  const auto begin = std::chrono::steady_clock::now();
  const render::ClipPlan& clip = plan.clip;
  for (const std::string& line : {plan.memory.note, plan.memory.plan.text}) {
    if (!line.empty()) std::fprintf(stderr, "reelfarm render: %s\n", line.c_str());
  }
  if (const std::string warning = weights::few_steps_warning(plan.bundle.manifest(), clip.steps); !warning.empty())
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  ProgressDisplay display(clip.grid.windows.size());
  const render::Renderer renderer(
      plan.bundle, {plan.memory.plan.placement, plan.memory.plan.tiles, ranks, plan.memory.plan.residency},
      [&](const render::Progress& progress) { display.show(0, progress); });
  renderer.check_prompt(command.prompt);
  const std::filesystem::path output = render::render_clip(
      renderer, command, clip,
      [&](std::size_t window, const render::Progress& progress) { display.show(window, progress); });
  display.end_line();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "%lld frames of %dx%d in %zu window(s), %.1f s with loading, seed %llu\n",
               static_cast<long long>(clip.grid.frames), clip.size.asked.width, clip.size.asked.height,
               clip.grid.windows.size(), seconds.count(), static_cast<unsigned long long>(clip.seed));
  std::printf("%s\n", output.c_str());
  return 0;
}

int run_alone(const render::RenderCommand& command) {
  const Plan plan = plan_of(command, 1);
  render::mesh_for(plan.bundle, command.mesh, 1, 1);
  use_threads(command.threads, 1);
  return lead(command, plan, nullptr);
}

int run_rank(const render::RenderCommand& command, std::unique_ptr<parallel::ProcessGroup> world) {
  const int ranks_of_machine = parallel::MpiSession::ranks_of_each_machine(*world);
  std::optional<Plan> plan;
  parallel::MeshShape mesh;
  parallel::all_or_none(*world, [&] {
    plan.emplace(plan_of(command, world->size()));
    mesh = render::mesh_for(plan->bundle, command.mesh, world->size(), ranks_of_machine);
  });
  use_threads(command.threads, parallel::MpiSession::ranks_on_this_machine());
  const render::RankGroups ranks =
      render::rank_groups(std::move(world), parallel::MpiSession::world(), mesh, plan->memory.plan.placement.device);
  if (ranks.denoise->rank() == 0) return lead(command, *plan, &ranks);
  render::Follower(plan->bundle, plan->memory.plan.placement, ranks, plan->memory.plan.residency).run();
  return 0;
}

/// Calls act() and tells what it throws, as `name`; the exit code of the program.
template <typename Act>
int reporting(const std::string& name, const Act& act) {
  const auto refuse = [&name](const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return kBadInput;
  };
  try {
    return act();
  } catch (const parallel::PeerFailed&) {
    return 0;  // that rank says it, and its exit code counts
  } catch (const render::OptionError& error) {
    return refuse(error);
  } catch (const render::RequestError& error) {
    return refuse(error);
  } catch (const weights::WeightError& error) {
    return refuse(error);
  } catch (const video::BadMedia& error) {
    return refuse(error);
  } catch (const std::invalid_argument& error) {
    return refuse(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return 1;
  }
}

constexpr const char* kName = "reelfarm render";

int run_under_mpi(const render::RenderCommand& command, int& argc, char**& argv) {
  render::take_own_gpu(command.device, 0, std::getenv(parallel::MpiSession::kLocalRank),
                       std::getenv(render::kVisibleGpus));
  parallel::MpiSession session(argc, argv);
  auto world = parallel::MpiSession::world();
  const int rank = world->rank();
  const std::string of_ranks =
      rank == 0 ? "" : ": rank " + std::to_string(rank) + " of " + std::to_string(world->size());
  // Inside of the session: the groups must be gone before it ends.
  return reporting(kName + of_ranks, [&] { return run_rank(command, std::move(world)); });
}

/// Open MPI's mpirun says so; srun --mpi=pmix only through PMIx.
bool under_mpi() {
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  return ranks != nullptr ? std::string(ranks) != "1" : std::getenv("PMIX_RANK") != nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  return reporting(kName, [&] {
    const auto command = render::read_options(argc, argv);
    if (!command) return 0;
    return under_mpi() ? run_under_mpi(*command, argc, argv) : run_alone(*command);
  });
}
