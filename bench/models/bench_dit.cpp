// One side of bench/models/dit.py: times this program's transformer on command, so that the driver can take turns with
// the other side under the same load. Reads "forward", "prepare" or "matmul" per line; answers with seconds, or GFLOP/s
// of a square matrix product, per line.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/Parallel.h>

#include "pipeline/dit/transformer.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/schedulers/flow_match.hpp"

namespace {

using namespace reelfarm;

template <typename Work>
double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// What the processor gives a large product of this type: the ceiling of any model made of products.
double matmul_gflops(at::ScalarType dtype) {
  constexpr std::int64_t kSize = 2048;
  const at::Tensor a = at::randn({kSize, kSize}).to(dtype);
  const at::Tensor b = at::randn({kSize, kSize}).to(dtype);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) best = std::min(best, seconds([&] { at::matmul(a, b); }));
  return 2.0 * kSize * kSize * kSize / best * 1e-9;
}

at::Tensor read(const std::string& file, const std::string& name) {
  const nn::ParameterReader reader(weights::TensorSource::open(file), {c10::kCPU, at::kFloat});
  return reader.tensor(name, reader.shape(name));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bench_dit FOLDER fp32|bf16 THREADS   (FOLDER as bench/models/dit.py writes it)\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const at::ScalarType dtype = nn::resolve_dtype(argv[2], c10::kCPU);
    at::set_num_threads(std::stoi(argv[3]));
    const dit::Transformer transformer(
        nn::ParameterReader(weights::TensorSource::open(folder + "/transformer"), {c10::kCPU, dtype}),
        dit::DitConfig::from_file(folder + "/transformer/config.json"));
    const std::string data = folder + "/data.safetensors";
    const at::Tensor latents = read(data, "latents");
    const dit::TextCondition text{read(data, "states"), read(data, "pooled")};
    const auto timesteps = schedulers::flow_match_schedule(4, 5.0).timesteps;
    const dit::Prepared prepared = transformer.prepare(text, timesteps, std::nullopt);
    const dit::TokenLayout layout = transformer.layout(latents.size(2), latents.size(3), latents.size(4));
    for (std::string command; std::getline(std::cin, command);) {
      if (command == "forward") {
        std::cout << seconds([&] { transformer.forward(latents, layout, prepared, 1); }) << std::endl;
      } else if (command == "prepare") {
        std::cout << seconds([&] { transformer.prepare(text, timesteps, std::nullopt); }) << std::endl;
      } else if (command == "matmul") {
        std::cout << matmul_gflops(dtype) << std::endl;
      } else {
        std::cerr << "bench_dit: unknown command '" << command << "'\n";
        return 2;
      }
    }
  } catch (const std::exception& error) {
    std::cerr << "bench_dit: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
