#include "bench/models/replay.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <c10/core/StreamGuard.h>

#include "bench/support/timing.hpp"
#include "pipeline/nn/cuda_driver_call.hpp"

namespace reelfarm::bench {
namespace {

constexpr int kRelaxed = 2;  // CU_STREAM_CAPTURE_MODE_RELAXED of cuda.h

template <typename... Arguments>
void call(const char* name, Arguments... arguments) {
  void* const driver = nn::cuda_driver();
  const int code = nn::cuda_driver_call(driver, name, arguments...);
  if (code != 0) throw std::runtime_error("graph: " + nn::cuda_driver_words(driver, name, code));
}

}  // namespace

double replay_seconds(c10::Device device, int rounds, const std::function<void()>& work) {
  // The default stream cannot be recorded.
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  const c10::StreamGuard current(stream);
  // Twice, so that every library has its plan and workspace on this stream, and the allocator the memory.
  for (int i = 0; i < 2; ++i) work();
  stream.synchronize();
  void* const handle = stream.native_handle();
  void* graph = nullptr;
  void* ready = nullptr;
  call("cuStreamBeginCapture_v2", handle, kRelaxed);
  work();
  call("cuStreamEndCapture", handle, &graph);
  call("cuGraphInstantiateWithFlags", &ready, graph, 0ULL);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= rounds; ++i) {
    const double taken = seconds([&] {
      call("cuGraphLaunch", ready, handle);
      stream.synchronize();
    });
    if (i > 0) best = std::min(best, taken);  // the first one takes the graph to the GPU
  }
  call("cuGraphExecDestroy", ready);
  call("cuGraphDestroy", graph);
  return best;
}

}  // namespace reelfarm::bench
