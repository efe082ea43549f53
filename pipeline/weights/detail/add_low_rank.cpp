#include "pipeline/weights/detail/add_low_rank.hpp"

#include <algorithm>
#include <string_view>
#include <thread>

#include "pipeline/weights/cpu_clones.hpp"
#include "pipeline/weights/detail/widen.hpp"

namespace reelfarm::weights::detail {
namespace {

/// sum[i] += factor * x[i]. Compiled without fused multiply-add: the same bits on every processor.
REELFARM_CPU_CLONES
void add_scaled(float* sum, const float* x, float factor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += factor * x[i];
}

struct Product {
  std::vector<float> up, down;
  std::size_t rank;
  float factor;
};

std::vector<float> floats_of(const TensorInfo& tensor) {
  return floats(tensor, "weights: " + tensor.file + ": tensor " + tensor.name);
}

std::vector<Product> read_products(const std::vector<LowRank>& products) {
  std::vector<Product> all;
  for (const LowRank& product : products) {
    all.push_back({floats_of(product.up), floats_of(product.down), static_cast<std::size_t>(product.down.shape[0]),
                   static_cast<float>(product.factor)});
  }
  return all;
}

struct Rows {
  DType stored, made;
  std::span<const std::byte> from;
  std::span<std::byte> to;
  std::size_t columns;

  void add(const std::vector<Product>& products, std::size_t begin, std::size_t end) const {
    std::vector<float> row(columns), delta(columns);
    const std::size_t stored_row = columns * size_of(stored), made_row = columns * size_of(made);
    for (std::size_t r = begin; r < end; ++r) {
      widen(stored, from.subspan(r * stored_row, stored_row), row);
      for (const Product& product : products) {
        std::ranges::fill(delta, 0.0F);
        for (std::size_t k = 0; k < product.rank; ++k)
          add_scaled(delta.data(), product.down.data() + k * columns, product.up[r * product.rank + k], columns);
        add_scaled(row.data(), delta.data(), product.factor, columns);
      }
      narrow(row, made, to.subspan(r * made_row, made_row));
    }
  }
};

/// Threads that are worth their start.
std::size_t threads_for(std::size_t elements, const std::vector<Product>& products) {
  constexpr std::size_t kWorth = std::size_t{1} << 24;  // multiplications: some milliseconds
  std::size_t work = 0;
  for (const Product& product : products) work += elements * product.rank;
  return std::clamp<std::size_t>(work / kWorth, 1, std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

TensorInfo with_low_rank(const TensorInfo& weight, const std::vector<LowRank>& products) {
  TensorInfo made = weight;
  made.bytes = {};
  made.block_bytes = 1;
  made.dtype = weight.dtype == DType::f32 || weight.dtype == DType::f16 ? DType::f32 : DType::bf16;
  made.decode = [weight, products, dtype = made.dtype](std::span<const std::byte>, std::span<std::byte> out) {
    const TensorBytes stored = read(weight);
    const auto rows = static_cast<std::size_t>(weight.shape[0]);
    const Rows work{weight.dtype, dtype, stored.bytes, out, weight.element_count() / rows};
    const std::vector<Product> all = read_products(products);
    const std::size_t threads = std::min(rows, threads_for(weight.element_count(), all));
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i)
      others.emplace_back([&, i] { work.add(all, i * rows / threads, (i + 1) * rows / threads); });
    work.add(all, 0, rows / threads);
    others.clear();
    release(weight);
  };
  return made;
}

std::vector<TensorInfo> stacked_low_rank(const TensorInfo& weight, const std::vector<LowRank>& products) {
  std::int64_t ranks = 0;
  for (const LowRank& product : products) ranks += product.down.shape[0];
  const std::int64_t rows = weight.shape[0];
  const auto columns = static_cast<std::int64_t>(weight.element_count()) / rows;
  const std::string layer = weight.name.substr(0, weight.name.size() - std::string_view("weight").size());
  TensorInfo down{layer + "lora_down.weight", DType::f32, {ranks, columns}, {}, products.front().down.file};
  down.decode = [products](std::span<const std::byte>, std::span<std::byte> out) {
    for (const LowRank& product : products) {
      const std::vector<float> part = floats_of(product.down);
      std::ranges::copy(std::as_bytes(std::span(part)), out.begin());
      out = out.subspan(part.size() * sizeof(float));
    }
  };
  TensorInfo up{layer + "lora_up.weight", DType::f32, {rows, ranks}, {}, products.front().up.file};
  up.decode = [products, rows, ranks](std::span<const std::byte>, std::span<std::byte> out) {
    std::vector<float> stacked(static_cast<std::size_t>(rows * ranks));
    std::size_t begin = 0;
    for (const Product& product : read_products(products)) {
      for (std::size_t i = 0; i < product.up.size(); ++i) {
        const std::size_t row = i / product.rank, column = begin + i % product.rank;
        stacked[row * static_cast<std::size_t>(ranks) + column] = product.factor * product.up[i];
      }
      begin += product.rank;
    }
    std::ranges::copy(std::as_bytes(std::span(stacked)), out.begin());
  };
  return {std::move(down), std::move(up)};
}

}  // namespace reelfarm::weights::detail
