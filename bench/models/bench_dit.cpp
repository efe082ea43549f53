// One side of bench/models/dit.py: times this program's transformer on command, so that the driver can take turns with
// the other side under the same load. Reads "forward", "prepare", "attention" (that of one block) or "matmul" per line;
// answers with seconds, or GFLOP/s of a square matrix product, per line. "memory" answers with the most GiB that
// tensors took on the GPU since the last "memory"; "save FILE" writes the velocity as raw fp32, for the driver to
// compare.
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/Parallel.h>

#include "bench/models/measured.hpp"
#include "bench/models/replay.hpp"
#include "pipeline/dit/transformer.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/schedulers/flow_match.hpp"

namespace {

using namespace reelfarm;
using namespace reelfarm::bench;

/// Seconds of the attention of one block over all tokens.
double attention_seconds(const dit::DitConfig& config, std::int64_t tokens, const nn::Placement& placement) {
  const at::Tensor q = at::randn({tokens, config.num_heads, config.head_dim}).to(placement.device, placement.dtype);
  const dit::LocalJointAttention attention(placement.quantised_attention);
  return seconds([&] { finish(attention(q, q, q, tokens).values.view(at::kByte)); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: bench_dit FOLDER fp32|bf16|fp8|fp8-linears|int8|w8a8 THREADS [cpu|cuda]   (FOLDER as "
                 "bench/models/dit.py writes it)\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const c10::Device device = nn::resolve_device(argc == 5 ? argv[4] : "cpu");
    const nn::Placement placement = placement_of(argv[2], device);
    at::set_num_threads(std::stoi(argv[3]));
    const dit::Transformer transformer(
        nn::ParameterReader(weights::TensorSource::open(folder + "/transformer"), placement),
        dit::DitConfig::from_file(folder + "/transformer/config.json"));
    const std::string data = folder + "/data.safetensors";
    const at::Tensor latents = read(data, "latents").to(device);
    const dit::TextCondition text{read(data, "states"), read(data, "pooled")};
    const auto timesteps = schedulers::flow_match_schedule(4, 5.0).timesteps;
    const dit::Prepared prepared = transformer.prepare(text, timesteps, std::nullopt);
    const dit::TokenLayout layout = transformer.layout(latents.size(2), latents.size(3), latents.size(4));
    const auto forward = [&] { return transformer.forward(latents, layout, prepared, 1); };
    for (std::string command; std::getline(std::cin, command);) {
      if (command == "forward") {
        std::cout << seconds([&] { finish(forward()); }) << std::endl;
      } else if (command == "launch") {
        at::Tensor velocity;
        std::cout << seconds([&] { velocity = forward(); }) << std::endl;
        finish(velocity);
      } else if (command == "graph") {
        std::cout << replay_seconds(device, 3, forward) << std::endl;
      } else if (command == "prepare") {
        std::cout << seconds([&] { transformer.prepare(text, timesteps, std::nullopt); }) << std::endl;
      } else if (command == "attention") {
        std::cout << attention_seconds(transformer.config(), layout.shard.count + text.states.size(0), placement)
                  << std::endl;
      } else if (command == "matmul") {
        std::cout << matmul_gflops(placement) << std::endl;
      } else if (command == "memory") {
        std::cout << peak_gib(device) << std::endl;
      } else if (command.starts_with("save ")) {
        const at::Tensor velocity = forward().to(at::kCPU, at::kFloat).contiguous();
        std::ofstream(command.substr(5), std::ios::binary)
            .write(static_cast<const char*>(velocity.const_data_ptr()),
                   static_cast<std::streamsize>(velocity.nbytes()));
        std::cout << 0 << std::endl;
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
