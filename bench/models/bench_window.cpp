// Where the time of one window goes, from the start of the program to the file: text, first frame, steps, decode,
// encode.
//
// Columns: the first window, with everything that a single `reelfarm render` pays, and the median of the windows behind
// it in the same process, as in a farm. Rows add up to the last one. The ceiling of the steps and of the VAE is what
// the processor gives a large product of the same type in the same run.
//
// Usage: bench_window BUNDLE [auto|fp32|bf16 [THREADS [ROUNDS]]]   (default: auto, all cores, 5)
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include "bench/models/measured.hpp"
#include "bench/support/timing.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/video/encoder.hpp"
#include "pipeline/windows/grid.hpp"

namespace {

using namespace reelfarm;
using namespace reelfarm::bench;
namespace fs = std::filesystem;

constexpr const char* kPrompt = "a red star moving left over the sea";
constexpr std::uint64_t kSeed = 7;

struct Part {
  std::string name;
  double seconds = 0;
};

/// Seconds between calls of lap().
class Laps {
 public:
  void lap(const std::string& name) {
    const auto now = std::chrono::steady_clock::now();
    parts_.push_back({name, std::chrono::duration<double>(now - last_).count()});
    last_ = now;
  }
  std::size_t count() const { return parts_.size(); }
  std::vector<Part> parts() const { return parts_; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::vector<Part> parts_;
};

/// Seconds since the kernel started this process (it counts in ticks of 10 ms): libraries are loaded in them.
double since_start() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  constexpr int kFieldsBefore = 19;  // state is the first behind the name, starttime the twentieth
  std::string skipped;
  for (int i = 0; i < kFieldsBefore; ++i) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 -
         ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

at::Tensor first_frame(const render::Renderer& renderer, Laps& laps) {
  const weights::BundleManifest& manifest = renderer.manifest();
  const std::size_t before = laps.count();
  const std::string steps = std::to_string(manifest.t2i->sampling.steps) + " steps";
  const auto heard = [&](const render::Progress& now) {
    const std::size_t passed = laps.count() - before;
    if (now.phase == render::Phase::step && passed == 0) laps.lap("first frame: text");
    if (now.phase == render::Phase::step && now.step == now.steps && passed == 1) laps.lap("first frame: " + steps);
  };
  at::Tensor frame = renderer.first_frame(kPrompt, manifest.width, manifest.height, kSeed, heard);
  laps.lap("first frame: decode");
  return frame.unsqueeze(0);
}

at::Tensor latents_of(const render::Renderer& renderer, const at::Tensor& condition, Laps& laps) {
  const weights::BundleManifest& manifest = renderer.manifest();
  render::WindowRequest request;
  request.prompt = kPrompt;
  request.condition = condition;
  request.width = manifest.width;
  request.height = manifest.height;
  request.num_latents = windows::latents_for_frames(manifest.window_frames);
  request.seed = kSeed;
  request.steps = manifest.sampling.steps;
  request.shift = manifest.sampling.shift;
  request.guidance = manifest.sampling.guidance;
  const std::size_t before = laps.count();
  const auto heard = [&](const render::Progress& now) {
    if (now.phase != render::Phase::encode) return;
    const std::size_t passed = laps.count() - before;
    if (passed == 0 && now.fraction >= 0.5) laps.lap("text, vision tower");
    if (passed == 1 && now.fraction >= 1) laps.lap("VAE, the given frame");
  };
  const at::Tensor latents = renderer.denoise(request, heard);
  finish(latents);
  laps.lap(std::to_string(request.steps) + " steps");
  return latents;
}

/// Everything that follows loading, for one window of the bundle's own size.
std::vector<Part> window(const render::Renderer& renderer, const fs::path& folder) {
  const weights::BundleManifest& manifest = renderer.manifest();
  Laps laps;
  const at::Tensor condition = first_frame(renderer, laps);
  const at::Tensor latents = latents_of(renderer, condition, laps);
  std::vector<at::Tensor> pieces;
  renderer.decode(latents, {}, [&](const render::DecodedFrames& piece) { pieces.push_back(piece.rgb8); });
  const at::Tensor frames = at::cat(pieces);
  laps.lap("VAE decode, " + std::to_string(frames.size(0)) + " frames");
  video::EncoderOptions options;
  options.width = manifest.width;
  options.height = manifest.height;
  options.rate = manifest.frame_rate;
  video::VideoEncoder encoder(folder / "partial.mp4", options);
  for (std::int64_t i = 0; i < frames.size(0); ++i) encoder.write(render::to_image(frames, i));
  encoder.publish(folder / "clip.mp4");
  fs::remove(folder / "clip.mp4");
  laps.lap("encode and write the .mp4");
  return laps.parts();
}

double median_of(const std::vector<std::vector<Part>>& windows, std::size_t part) {
  std::vector<double> values;
  for (const auto& one : windows) values.push_back(one[part].seconds);
  return bench::median(std::move(values));
}

void print(const std::vector<Part>& before, const std::vector<std::vector<Part>>& windows) {
  const std::vector<std::vector<Part>> later(windows.begin() + 1, windows.end());
  double first = 0;
  double rest = 0;
  for (const Part& part : before) first += part.seconds;
  for (std::size_t i = 0; i < windows[0].size(); ++i) {
    first += windows[0][i].seconds;
    rest += median_of(later, i);
  }
  std::printf("| part | first window, s | %% | median of %zu more, s | %% |\n|---|---|---|---|---|\n", later.size());
  for (const Part& part : before) {
    std::printf("| %s | %.2f | %.0f | | |\n", part.name.c_str(), part.seconds, 100 * part.seconds / first);
  }
  for (std::size_t i = 0; i < windows[0].size(); ++i) {
    const Part& part = windows[0][i];
    const double median = median_of(later, i);
    std::printf("| %s | %.3f | %.0f | %.3f | %.0f |\n", part.name.c_str(), part.seconds, 100 * part.seconds / first,
                median, 100 * median / rest);
  }
  std::printf("| all | %.2f | | %.2f | |\n", first, rest);
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_window BUNDLE [auto|fp32|bf16 [THREADS [ROUNDS]]]\n");
    return 2;
  }
  const c10::Device device = nn::resolve_device("cpu");
  const c10::ScalarType dtype = nn::resolve_dtype(argc > 2 ? argv[2] : "auto", device);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = argc > 3 ? std::atoi(argv[3]) : cores;
  const int rounds = std::max(1, argc > 4 ? std::atoi(argv[4]) : 5);
  const double started = since_start();
  at::set_num_threads(std::max(1, threads));

  Laps loading;
  const weights::Bundle bundle = weights::Bundle::open(argv[1]);
  const render::Renderer renderer(bundle, {{device, dtype}});
  loading.lap("open and load the bundle");
  std::vector<Part> before = {{"start of the program", started}};
  for (const Part& part : loading.parts()) before.push_back(part);

  const weights::BundleManifest& manifest = renderer.manifest();
  if (!manifest.needs_image() || !manifest.t2i) {
    std::fprintf(stderr, "bench_window: the bundle '%s' has no first frame of its own\n", manifest.name.c_str());
    return 2;
  }
  const fs::path folder = fs::temp_directory_path() / ("bench_window." + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::vector<std::vector<Part>> windows;
  for (int i = 0; i <= rounds; ++i) windows.push_back(window(renderer, folder));
  fs::remove_all(folder);

  std::printf(
      "bundle %s, %dx%d, %lld frames, %s, %d thread(s) of %d, LibTorch's kernels for %s, matmul %.0f GFLOP/s\n\n",
      manifest.name.c_str(), manifest.width, manifest.height, static_cast<long long>(manifest.window_frames),
      dtype == at::kFloat ? "fp32" : "bf16", at::get_num_threads(), cores, at::get_cpu_capability().c_str(),
      matmul_gflops(renderer.options().placement));
  print(before, windows);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_window: %s\n", error.what());
    return 1;
  }
}
