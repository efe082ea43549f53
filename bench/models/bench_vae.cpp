// One side of bench/models/vae.py: times this program's VAE on command, so that the driver can take turns with the
// other side under the same load. Reads "decode PLAN", "encode PLAN" or "matmul" per line; answers with seconds, or
// GFLOP/s of a square matrix product, per line. "save PLAN FILE" writes the decoded sample as raw fp32, for the driver
// to compare. "memory" answers with the most GiB that tensors took on the GPU since the last
// "memory"; "profile PLAN" writes the seconds of each block of the decoder, over all tiles, to stderr.
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <ATen/Parallel.h>

#include "bench/models/measured.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace {

using namespace reelfarm;
using namespace reelfarm::bench;

void profile(const vae::CausalVae& model, const at::Tensor& latents, vae::DecodeOptions options) {
  std::vector<double> of_block(model.decode_steps());
  const at::Tensor mark = at::zeros({1}, at::TensorOptions().device(model.placement().device));
  auto begin = std::chrono::steady_clock::now();
  options.on_progress = [&](std::size_t done, std::size_t /*total*/) {
    finish(mark.add(1));
    const auto now = std::chrono::steady_clock::now();
    of_block[(done - 1) % of_block.size()] += std::chrono::duration<double>(now - begin).count();
    begin = now;
  };
  const double all =
      seconds([&] { model.decode(latents, options, [](const vae::FrameChunk& chunk) { chunk.rgb8.cpu(); }); });
  std::cerr << "profile " << options.plan << ": middle";
  for (std::size_t i = 0; i < of_block.size(); ++i) {
    if (i > 0) std::cerr << (i + 1 < of_block.size() ? ", up " + std::to_string(i - 1) : ", end");
    std::cerr << ' ' << of_block[i] << " s";
  }
  std::cerr << ", all " << all << " s (the middle's figure holds the joining and copying of the tile before)\n";
  std::cout << all << std::endl;
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
  } else if (command == "memory") {
    std::cout << peak_gib(model.placement().device) << std::endl;
  } else if (command == "profile") {
    profile(model, latents, options);
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
