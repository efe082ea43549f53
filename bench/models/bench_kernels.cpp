// What one block of the 13 B transformer and the layers of the VAE decoder are made of, each alone on a GPU: products,
// attention and passes over memory, in bf16 and in 8 bits. Prints TFLOP/s or GB/s next to the ceilings of the same run.
//
//     bench_kernels [TOKENS] [ROUNDS] [PART]      default 43096 (960x544, 81 frames, 256 text tokens), 7 and all of
//                                                 products, attention, heads, passes, decoder
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "bench/models/measured.hpp"
#include "pipeline/nn/add.hpp"
#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/conv3d.hpp"
#include "pipeline/nn/rotary.hpp"
#include "pipeline/nn/video_kernels.hpp"
#include "pipeline/quant/attention.hpp"
#include "pipeline/quant/detail/int8_product.hpp"
#include "pipeline/quant/joined.hpp"
#include "pipeline/quant/norm.hpp"
#include "pipeline/quant/rows.hpp"
#include "pipeline/vae/causal_padding.hpp"
#include "pipeline/vae/phase_interleave.hpp"

namespace {

using namespace reelfarm;
using nn::Quantisation;

constexpr std::int64_t kHeads = 24;
constexpr std::int64_t kHeadDim = 128;
constexpr std::int64_t kWidth = kHeads * kHeadDim;
constexpr std::int64_t kMlp = 4 * kWidth;

class Table {
 public:
  explicit Table(int rounds) : rounds_(rounds) {}

  /// Prints the median time of work() and its rate. work: FLOP, or bytes that must move; `ceiling`: of the same unit.
  void row(const std::string& name, double work, double ceiling, const char* unit, const std::function<void()>& act) {
    const at::Tensor mark = at::zeros({1}, options());
    const auto wait = [&] { bench::finish(mark.add(1)); };
    act();
    wait();
    std::vector<double> times;
    for (int round = 0; round < rounds_; ++round) {
      times.push_back(bench::seconds([&] {
                        for (int i = 0; i < kRepeats; ++i) act();
                        wait();
                      }) /
                      kRepeats);
    }
    std::ranges::sort(times);
    const double middle = times[times.size() / 2];
    std::printf("%-52s %9.3f ms (%.3f)  %7.0f %s  %4.0f %%\n", name.c_str(), middle * 1e3, times.front() * 1e3,
                work / middle / (unit[0] == 'T' ? 1e12 : 1e9), unit, 100 * work / middle / ceiling);
    std::fflush(stdout);
  }
  static at::TensorOptions options() { return at::TensorOptions().device(c10::kCUDA).dtype(at::kFloat); }

 private:
  static constexpr int kRepeats = 4;
  int rounds_;
};

at::Tensor random(at::IntArrayRef shape) {
  return at::randn(shape, Table::options().dtype(at::kBFloat16));
}

at::Tensor video(at::IntArrayRef shape) {
  return random(shape).contiguous(at::MemoryFormat::ChannelsLast3d);
}

void products(Table& table, std::int64_t tokens, double ceiling) {
  for (const auto& [in, out] : {std::pair{kWidth, kWidth}, {kWidth, kMlp}, {kMlp, kWidth}, {kWidth + kMlp, kWidth}}) {
    const std::string shape = std::to_string(in) + " -> " + std::to_string(out);
    const double flop = 2.0 * static_cast<double>(tokens) * static_cast<double>(in) * static_cast<double>(out);
    const at::Tensor x = random({tokens, in});
    const at::Tensor weight = random({out, in});
    const at::Tensor bias = random({out});
    at::Tensor y = at::empty({tokens, out}, x.options());
    table.row("linear bf16 " + shape, flop, ceiling, "TFLOP/s", [&] { at::addmm_out(y, bias, x, weight.t()); });
    const quant::Rows rows = quant::quantise(x, Quantisation::fp8);
    const quant::Rows outputs = quant::quantise(weight, Quantisation::fp8);
    const at::Tensor columns = outputs.scales.view({1, out});
    table.row("linear fp8  " + shape, flop, 2 * ceiling, "TFLOP/s", [&] {
      at::_scaled_mm_out(y, rows.values, outputs.values.t(), rows.scales, columns, bias, {}, at::kBFloat16, true);
    });
    const quant::Rows integers = quant::quantise(x, Quantisation::w8a8);
    const quant::Rows integer_outputs = quant::quantise(weight, Quantisation::w8a8);
    table.row("linear w8a8 " + shape, flop, 2 * ceiling, "TFLOP/s",
              [&] { quant::detail::int8_product(y, integers, integer_outputs, bias); });
  }
}

void attentions(Table& table, std::int64_t tokens, double ceiling) {
  const double flop = 4.0 * static_cast<double>(tokens) * static_cast<double>(tokens) * kWidth;
  const at::Tensor q = random({tokens, kHeads, kHeadDim});
  const at::Tensor k = random({tokens, kHeads, kHeadDim});
  const at::Tensor v = random({tokens, kHeads, kHeadDim});
  table.row("attention bf16", flop, ceiling, "TFLOP/s",
            [&] { nn::attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0)); });
  if (!quant::attention_fits(q, k)) {
    std::puts("attention fp8: no kernel");
    return;
  }
  table.row("attention fp8, with the rounding of q, k and v", flop, 2 * ceiling, "TFLOP/s",
            [&] { quant::attention(q, k, v); });
}

/// What a rank of several computes: attention of some of its heads, whose keys are a part of what it got.
void heads_of_a_rank(Table& table, std::int64_t tokens, double ceiling) {
  const double flop_of_one = 4.0 * static_cast<double>(tokens) * static_cast<double>(tokens) * kHeadDim;
  constexpr std::int64_t kShare = kHeads / 2;
  const at::Tensor k = random({tokens, kShare, kHeadDim});
  const at::Tensor v = random({tokens, kShare, kHeadDim});
  for (std::int64_t heads = 1; heads <= kShare; ++heads) {
    const at::Tensor q = random({tokens, heads, kHeadDim});
    const double flop = static_cast<double>(heads) * flop_of_one;
    const std::string name = " of " + std::to_string(heads) + " heads";
    table.row("attention bf16" + name, flop, ceiling, "TFLOP/s", [&] {
      nn::attention(q.unsqueeze(0), k.narrow(1, 0, heads).unsqueeze(0), v.narrow(1, 0, heads).unsqueeze(0));
    });
    if (!quant::attention_fits(q, q)) continue;
    const at::Tensor own_k = k.narrow(1, 0, heads).contiguous();
    const at::Tensor own_v = v.narrow(1, 0, heads).contiguous();
    table.row("attention fp8" + name, flop, 2 * ceiling, "TFLOP/s", [&] { quant::attention(q, own_k, own_v); });
  }
}

void passes(Table& table, std::int64_t tokens, double copy) {
  const double one = 2.0 * static_cast<double>(tokens) * kWidth;  // bytes of (tokens, width) in bf16
  const at::Tensor x = random({tokens, kWidth});
  const at::Tensor y = random({tokens, kWidth});
  const at::Tensor row = random({kWidth});
  const at::Tensor hidden = random({tokens, kWidth + kMlp});
  const at::Tensor mlp = random({tokens, kMlp});
  const at::Tensor angle = at::randn({tokens, kHeadDim / 2}, Table::options());
  const nn::RotaryTable rotary{at::cos(angle), at::sin(angle)};
  const at::Tensor weight = random({kHeadDim});
  const quant::Rows left = quant::quantise(x, Quantisation::fp8);
  table.row("norm and modulation, bf16", 2 * one, copy, "GB/s",
            [&] { quant::modulated_layer_norm(x, row, row, 1e-6, Quantisation::none); });
  table.row("norm and modulation, to fp8", 1.5 * one, copy, "GB/s",
            [&] { quant::modulated_layer_norm(x, row, row, 1e-6, Quantisation::fp8); });
  table.row("norm and modulation, to int8", 1.5 * one, copy, "GB/s",
            [&] { quant::modulated_layer_norm(x, row, row, 1e-6, Quantisation::w8a8); });
  table.row("rms norm and rotation", 2 * one, copy, "GB/s", [&] {
    nn::rms_norm_rotate_(x.unflatten(1, {kHeads, -1}), weight, 1e-6, &rotary);
  });
  table.row("gelu, bf16", 8 * one, copy, "GB/s", [&] { quant::gelu(mlp, Quantisation::none); });
  table.row("gelu, to fp8", 6 * one, copy, "GB/s", [&] { quant::gelu(mlp, Quantisation::fp8); });
  table.row("gelu, to int8", 6 * one, copy, "GB/s", [&] { quant::gelu(mlp, Quantisation::w8a8); });
  table.row("[attention | gelu], bf16", 10 * one, copy, "GB/s", [&] {
    quant::join_gelu({x, {}}, hidden.narrow(1, kWidth, kMlp), hidden, Quantisation::none);
  });
  table.row("[attention fp8 | gelu], to fp8", 7 * one, copy, "GB/s",
            [&] { quant::join_gelu(left, mlp, hidden, Quantisation::fp8); });
  table.row("gated addition", 3 * one, copy, "GB/s", [&] { nn::add_gated_(x, y, row); });
  table.row("gated addition, LibTorch", 3 * one, copy, "GB/s", [&] { x.addcmul_(y, row); });
}

void decoder_layers(Table& table, double ceiling, double copy) {
  // One tile of the plan `diffusers` at 960x544: 5 latent frames. Stage by stage: channels, frames, height, width.
  struct Stage {
    std::int64_t channels, frames, height, width;
  };
  for (const Stage& s : {Stage{512, 5, 68, 120},
                         {512, 5, 136, 240},
                         {512, 9, 272, 480},
                         {256, 17, 272, 480},
                         {256, 17, 544, 960},
                         {128, 17, 544, 960}}) {
    const std::string shape = std::to_string(s.channels) + " channels, " + std::to_string(s.frames) + " x " +
                              std::to_string(s.height) + " x " + std::to_string(s.width);
    const at::Tensor x = video({1, s.channels, s.frames, s.height, s.width});
    const double bytes = static_cast<double>(x.nbytes());
    const vae::PaddedVideo padded(x, 2, 1);
    const nn::Conv3d conv(video({s.channels, s.channels, 3, 3, 3}), random({s.channels}));
    const double flop = 2.0 * 27 * static_cast<double>(x.numel()) * static_cast<double>(s.channels);
    table.row("conv " + shape, flop, ceiling, "TFLOP/s", [&] { conv.before_bias(padded.whole()); });
    const at::Tensor bias = at::randn({1, s.channels, 1, 1, 1}, Table::options());
    table.row("  addition of the residual and bias", 3 * bytes, copy, "GB/s", [&] { nn::add_(x, x, bias); });
    table.row("  silu and padding", 2 * bytes, copy, "GB/s",
              [&] { nn::launch_pad_video(x, bias.flatten(), bias.flatten(), padded.whole(), 2, 1); });
  }
  const at::Tensor phases = video({1, 8 * 256, 9, 137, 241});
  table.row("interleave 8 phases to 256 x 17 x 272 x 480", 2.0 * static_cast<double>(phases.nbytes()), copy, "GB/s",
            [&] { vae::interleave_phases(phases, 256, true, true); });
  constexpr std::int64_t kPositions = 68 * 120;
  const at::Tensor q = random({1, kPositions, 1, 512});
  const at::Tensor k = random({1, 5 * kPositions, 1, 512});
  table.row("attention of the last of 5 frames, 512 wide", 4.0 * kPositions * 5 * kPositions * 512, ceiling, "TFLOP/s",
            [&] { nn::attention(q, k, k); });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::int64_t tokens = argc > 1 ? std::stoll(argv[1]) : 43096;
    const std::string only = argc > 3 ? argv[3] : "";
    if (const auto parts = {"", "products", "attention", "heads", "passes", "decoder"};
        std::ranges::find(parts, only) == parts.end()) {
      throw std::invalid_argument("no part '" + only + "': products, attention, heads, passes or decoder");
    }
    Table table(argc > 2 ? std::stoi(argv[2]) : 7);
    const c10::NoGradGuard no_gradients;
    const nn::Placement placement{nn::resolve_device("cuda"), at::kBFloat16};
    const double matmul = bench::matmul_gflops(placement) * 1e9;
    std::printf("matmul bf16 8192: %.0f TFLOP/s\n", matmul / 1e12);
    const at::Tensor big = random({std::int64_t{1} << 30});
    double copy = 0;
    for (int i = 0; i < 3; ++i) {
      copy =
          std::max(copy, 2.0 * static_cast<double>(big.nbytes()) / bench::seconds([&] { bench::finish(big.clone()); }));
    }
    std::printf("copy: %.0f GB/s read and written\n", copy / 1e9);
    const auto wanted = [&](const char* part) { return only.empty() || only == part; };
    if (wanted("products")) products(table, tokens, matmul);
    if (wanted("attention")) attentions(table, tokens, matmul);
    if (wanted("heads")) heads_of_a_rank(table, tokens, matmul);
    if (wanted("passes")) passes(table, tokens, copy);
    if (wanted("decoder")) decoder_layers(table, matmul, copy);
  } catch (const std::exception& error) {
    std::cerr << "bench_kernels: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
