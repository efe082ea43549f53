#include "bench/models/replay.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "bench/support/timing.hpp"

namespace reelfarm::bench {
namespace {

// cuda.h. This program is linked against LibTorch's CPU part alone, so that it also starts where there is no driver.
constexpr int kRelaxed = 2;  // CU_STREAM_CAPTURE_MODE_RELAXED

template <typename... Arguments>
void call(const char* name, Arguments... arguments) {
  static void* const library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  const auto function = library ? reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name)) : nullptr;
  if (function == nullptr) throw std::runtime_error(std::string("graph: the CUDA driver has no ") + name);
  if (const int code = function(arguments...); code != 0) {
    const char* words = nullptr;
    const auto text = reinterpret_cast<int (*)(int, const char**)>(dlsym(library, "cuGetErrorString"));
    if (text != nullptr) text(code, &words);
    throw std::runtime_error(std::string("graph: ") + name + " failed with code " + std::to_string(code) +
                             (words != nullptr ? ": " + std::string(words) : ""));
  }
}

/// Makes a stream the current one of this thread while it lives.
class Current {
 public:
  explicit Current(const c10::Stream& stream) : guard_(stream.device_type()), before_(guard_.exchangeStream(stream)) {}
  ~Current() { guard_.exchangeStream(before_); }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  c10::impl::VirtualGuardImpl guard_;
  c10::Stream before_;
};

}  // namespace

double replay_seconds(c10::Device device, int rounds, const std::function<void()>& work) {
  // The default stream cannot be recorded.
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  const Current current(stream);
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
