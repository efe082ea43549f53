// One side of bench/models/vae.py: times this program's VAE on command, so that the driver can take turns with the
// other side under the same load. Reads "decode PLAN", "encode PLAN" or "matmul" per line; answers with seconds, or
// GFLOP/s of a square matrix product, per line. "save PLAN FILE" writes the decoded sample as raw fp32, for the driver
// to compare.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include <ATen/Parallel.h>

#include "pipeline/nn/host_memory.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace {

using namespace reelfarm;

template <typename Work>
double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// What the processor gives a large product of this type: the ceiling of any model made of products.
double matmul_gflops(const nn::Placement& placement) {
  const std::int64_t size = placement.device.is_cuda() ? 8192 : 2048;
  const at::Tensor a = at::randn({size, size}).to(placement.device, placement.dtype);
  const at::Tensor b = at::randn({size, size}).to(placement.device, placement.dtype);
  double best = 1e9;
  // Reading one element waits for the device.
  for (int i = 0; i < 3; ++i) best = std::min(best, seconds([&] { at::matmul(a, b)[0][0].cpu(); }));
  const auto n = static_cast<double>(size);
  return 2.0 * n * n * n / best * 1e-9;
}

at::Tensor read(const std::string& file, const std::string& name) {
  const nn::ParameterReader reader(weights::TensorSource::open(file), {c10::kCPU, at::kFloat});
  return reader.tensor(name, reader.shape(name));
}

void answer(const std::string& line, const vae::CausalVae& model, const at::Tensor& latents, const at::Tensor& video) {
  std::istringstream words(line);
  std::string command;
  vae::DecodeOptions options;
  words >> command >> options.plan;
  if (command == "decode") {
    std::cout << seconds([&] {
      model.decode(latents, options, [](const vae::FrameChunk& chunk) { chunk.rgb8.cpu(); });
    }) << std::endl;
  } else if (command == "encode") {
    std::cout << seconds([&] { model.encode(video, options.plan).cpu(); }) << std::endl;
  } else if (command == "matmul") {
    std::cout << matmul_gflops(model.placement()) << std::endl;
  } else if (command == "save") {
    std::string path;
    words >> path;
    const at::Tensor sample = model.decode_sample(latents, options.plan).cpu().contiguous();
    std::ofstream(path, std::ios::binary)
        .write(static_cast<const char*>(sample.const_data_ptr()), static_cast<std::streamsize>(sample.nbytes()));
    std::cout << 0 << std::endl;
  } else {
    throw std::runtime_error("unknown command '" + line + "'");
  }
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: bench_vae FOLDER fp32|bf16 THREADS [cpu|cuda]   (FOLDER as bench/models/vae.py writes it)\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const c10::Device device = nn::resolve_device(argc == 5 ? argv[4] : "cpu");
    at::set_num_threads(std::stoi(argv[3]));
    const auto model = vae::CausalVae::open(folder + "/vae", {device, nn::resolve_dtype(argv[2], device)});
    const at::Tensor latents = read(folder + "/data.safetensors", "latents");
    const at::Tensor video = read(folder + "/data.safetensors", "video");
    for (std::string line; std::getline(std::cin, line);) answer(line, *model, latents, video);
  } catch (const std::exception& error) {
    std::cerr << "bench_vae: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
