// reelfarm-ranks: the MPI world of one worker group. Rank 0 hears from the agent what to render, the others follow it.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "logging/log.hpp"
#include "parallel/all_or_none.hpp"
#include "parallel/mpi_session.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/render/fingerprint.hpp"
#include "pipeline/render/follower.hpp"
#include "pipeline/render/gpu_choice.hpp"
#include "pipeline/render/memory_choice.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/render/warm_up.hpp"
#include "pipeline/weights/bundle_hash.hpp"
#include "worker/protocol/line_channel.hpp"
#include "worker/ranks/options.hpp"
#include "worker/ranks/self_test.hpp"
#include "worker/ranks/window_line.hpp"

namespace {

using namespace reelfarm;

// The agent takes code 2 as "will not get better by itself".
constexpr int kBadInput = 2;
constexpr const char* kProgram = "ranks";

/// What every rank of the group must have alike.
struct Plan {
  weights::Bundle bundle;
  render::MemoryPlan memory;
  parallel::MeshShape mesh;
  int threads = 1;
};

/// Threads of each rank, the same on all and fixed for the life of the group: the order of sums, and so the bits,
/// depend on it. Collective.
int threads_per_rank(int asked, parallel::ProcessGroup& world) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int own = asked > 0 ? asked : std::max(1, cores / parallel::MpiSession::ranks_on_this_machine());
  return world.all_gather(at::full({1}, own, at::kInt)).min().item<int>();
}

Plan plan_of(const worker::RanksOptions& options, parallel::ProcessGroup& world) {
  const int threads = threads_per_rank(options.threads, world);
  const int ranks_of_machine = parallel::MpiSession::ranks_of_each_machine(world);
  std::optional<Plan> plan;
  parallel::all_or_none(world, [&] {
    weights::Bundle bundle = weights::Bundle::open(options.bundle);
    const weights::BundleManifest& manifest = bundle.manifest();
    render::MemoryChoice memory =
        render::choose_memory(bundle, {options.device, options.dtype, options.tiles, options.max_memory},
                              manifest.width, manifest.height, manifest.window_frames, world.size());
    if (world.rank() == 0 && !memory.note.empty()) logging::warn(memory.note);
    if (world.rank() == 0 && !memory.plan.text.empty()) logging::info(memory.plan.text);
    const auto mesh = render::mesh_for(bundle, options.mesh, world.size(), ranks_of_machine);
    plan.emplace(Plan{std::move(bundle), std::move(memory.plan), mesh, threads});
  });
  return std::move(*plan);
}

worker::Ready ready_of(const Plan& plan) {
  worker::Ready ready;
  ready.bundle = plan.bundle.manifest().name;
  // The agent's reelfarm-bundle has just hashed the files: its digests are in the same cache.
  ready.bundle_hash =
      weights::bundle_hash(plan.bundle, weights::digest_cache_file(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME")));
  ready.device = plan.memory.placement.device.is_cuda() ? "cuda" : "cpu";
  ready.device_name = render::device_name(plan.memory.placement.device);
  ready.dtype = nn::dtype_name(plan.memory.placement);
  ready.mesh = parallel::to_string(plan.mesh);
  ready.ranks = plan.mesh.ranks();
  ready.threads = plan.threads;
  ready.fingerprint =
      render::fingerprint_of({ready.bundle_hash, plan.memory.placement, ready.mesh, ready.threads, plan.memory.tiles});
  return ready;
}

/// As options->self_test says. Gives the exit code.
int test_this_machine(int argc, char** argv) {
  const worker::SelfTestSink say = [](const nlohmann::json& line) {
    std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  };
  worker::begin_self_test(say);
  parallel::MpiSession session(argc, argv);
  worker::run_self_test(*parallel::MpiSession::world(), say);
  return 0;
}

/// Passes orders on until the agent says shutdown or goes away.
void serve(worker::LineChannel& channel, worker::WindowLine& line, worker::StopRequests& stops) {
  for (;;) {
    pollfd event{channel.descriptor(), POLLIN, 0};
    ::poll(&event, 1, -1);
    const bool alive = channel.receive();
    while (const auto text = channel.next_line()) {
      const worker::Message message = worker::decode(*text);
      if (const auto* order = std::get_if<worker::TaskOrder>(&message)) line.take(*order);
      if (const auto* stop = std::get_if<worker::StopOrder>(&message)) stops.ask(stop->task, stop->drain);
      if (std::holds_alternative<worker::ShutdownOrder>(message)) {
        stops.ask_all();
        return;
      }
    }
    // Without an agent nobody holds the leases any more: what is rendered now could not be published.
    if (!alive) std::_Exit(1);
  }
}

void warm_the_gpus(const render::Renderer& renderer, const render::OnProgress& on_progress) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  render::warm_up(renderer, on_progress);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  logging::info("a window that nobody sees took " + std::to_string(took.count()) + " ms: the GPUs are warm");
}

/// Rank 0: the only one that hears from the agent, and that writes.
void lead(const worker::RanksOptions& options, const Plan& plan, const render::RankGroups* ranks) {
  worker::LineChannel channel = worker::LineChannel::connect(options.agent_socket);
  worker::Reporter reporter([&channel](const worker::Message& message) {
    if (!channel.send(worker::encode(message))) std::_Exit(1);
  });
  const render::OnProgress tell_agent = [&reporter](const render::Progress& progress) {
    reporter.tick({"", render::name_of(progress.phase), 0, 0, progress.fraction});
  };
  const render::Renderer renderer(plan.bundle, {plan.memory.placement, plan.memory.tiles, ranks, plan.memory.residency},
                                  tell_agent);
  if (!renderer.way_of_heads().empty()) logging::info(renderer.way_of_heads());
  if (plan.memory.placement.device.is_cuda()) warm_the_gpus(renderer, tell_agent);
  const worker::Ready ready = ready_of(plan);
  reporter.send(ready);
  worker::StopRequests stops;
  worker::WindowLine line({renderer, reporter, stops, options.data, ready.fingerprint, plan.threads});
  serve(channel, line, stops);
}

void run(const worker::RanksOptions& options, std::unique_ptr<parallel::ProcessGroup> world) {
  const Plan plan = plan_of(options, *world);
  at::set_num_threads(plan.threads);
  if (world->size() == 1) return lead(options, plan, nullptr);
  const render::RankGroups ranks =
      render::rank_groups(std::move(world), parallel::MpiSession::world(), plan.mesh, plan.memory.placement.device);
  if (ranks.denoise->rank() == 0) return lead(options, plan, &ranks);
  render::Follower(plan.bundle, plan.memory.placement, ranks, plan.memory.residency).run();
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  // The launcher's death is this rank's, even by SIGKILL.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const auto options = worker::read_options(argc, argv);
    if (!options) return 0;
    logging::start(kProgram, options->log_format);
    if (options->self_test) return test_this_machine(argc, argv);
    render::take_own_gpu(options->device, options->gpu, std::getenv(parallel::MpiSession::kLocalRank),
                         std::getenv(render::kVisibleGpus));
    parallel::MpiSession session(argc, argv);
    auto world = parallel::MpiSession::world();
    logging::start(kProgram, options->log_format, world->rank());
    const auto fail = [rank = world->rank()](int code, const std::exception& error) {
      return logging::complain(kProgram, "rank " + std::to_string(rank) + ": " + error.what(), code);
    };
    try {
      run(*options, std::move(world));
      return 0;
    } catch (const parallel::PeerFailed&) {
      return 0;  // that rank says it, and its exit code counts
    } catch (const worker::OptionError& error) {
      return fail(kBadInput, error);
    } catch (const weights::WeightError& error) {
      return fail(kBadInput, error);
    } catch (const render::RequestError& error) {
      return fail(kBadInput, error);
    } catch (const std::invalid_argument& error) {
      return fail(kBadInput, error);
    } catch (const std::exception& error) {
      return fail(1, error);
    }
  } catch (const std::exception& error) {
    return logging::complain(kProgram, error.what(), kBadInput);
  }
}
