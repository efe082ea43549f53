// reelfarm-ranks: the MPI world of one worker group. Rank 0 hears from the agent what to render.
#include <ATen/Parallel.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "parallel/mpi_session.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/render/fingerprint.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/weights/bundle_hash.hpp"
#include "worker/protocol/line_channel.hpp"
#include "worker/ranks/options.hpp"
#include "worker/ranks/window_line.hpp"

namespace {

using namespace reelfarm;

// The agent takes code 2 as "will not get better by itself".
constexpr int kBadInput = 2;

/// Threads of each rank, fixed for the life of the group: the order of sums, and so the bits, depend on it.
int threads_per_rank(int asked) {
  if (asked > 0) return asked;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, cores / parallel::MpiSession::ranks_on_this_machine());
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

int run(const worker::RanksOptions& options, parallel::ProcessGroup& group) {
  if (group.size() > 1) {
    throw worker::OptionError(
        "--ranks " + std::to_string(group.size()) +
        ": splitting one window over several ranks is not in this version; start more groups (--groups)");
  }
  worker::LineChannel channel = worker::LineChannel::connect(options.agent_socket);
  worker::Reporter reporter([&channel](const worker::Message& message) {
    if (!channel.send(worker::encode(message))) std::_Exit(1);
  });

  const c10::Device device = nn::resolve_device(options.device);
  const nn::Placement placement{device, nn::resolve_dtype(options.dtype, device)};
  const int threads = threads_per_rank(options.threads);
  at::set_num_threads(threads);

  const auto on_progress = [&reporter](const render::Progress& progress) {
    reporter.tick({"", render::name_of(progress.phase), 0, 0, progress.fraction});
  };
  const weights::Bundle bundle = weights::Bundle::open(options.bundle);
  const render::Renderer renderer(bundle, {placement, options.tiles}, on_progress);

  worker::Ready ready;
  ready.bundle = bundle.manifest().name;
  // The agent's reelfarm-bundle has just hashed the files: its digests are in the same cache.
  ready.bundle_hash =
      weights::bundle_hash(bundle, weights::digest_cache_file(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME")));
  ready.device = device.is_cuda() ? "cuda" : "cpu";
  ready.device_name = render::device_name(device);
  ready.dtype = nn::dtype_name(placement.dtype);
  ready.mesh = "1x1";
  ready.ranks = group.size();
  ready.threads = threads;
  ready.fingerprint = render::fingerprint_of({ready.bundle_hash, placement, ready.mesh, threads, options.tiles});
  reporter.send(ready);

  worker::StopRequests stops;
  worker::WindowLine line({renderer, reporter, stops, options.data, ready.fingerprint, threads});
  serve(channel, line, stops);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  // The launcher's death is this rank's, even by SIGKILL.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const auto options = worker::read_options(argc, argv);
    if (!options) return 0;
    parallel::MpiSession session(argc, argv);
    const auto group = parallel::MpiSession::world();
    const auto fail = [&group](int code, const std::exception& error) {
      std::fprintf(stderr, "reelfarm-ranks: rank %d: %s\n", group->rank(), error.what());
      return code;
    };
    try {
      return run(*options, *group);
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
    std::fprintf(stderr, "reelfarm-ranks: %s\n", error.what());
    return kBadInput;
  }
}
