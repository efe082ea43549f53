// How fast weights get from mapped files onto a GPU, next to what the bus takes from pinned memory and what `cat`
// reads.
//
// Rows: every tensor of the files with LibTorch's own copy and with nn::upload(); as ceilings of a warm load the files'
// pages copied into pinned memory by 16 threads, and as many bytes from one pinned buffer to the GPU. Warm: the files'
// pages are in the cache (or the files lie in /dev/shm); cold: they were dropped before each round, where the file
// system lets them go, and the ceiling is `cat FILES >/dev/null`.
//
// Usage: bench_upload FILE_OR_FOLDER [warm|cold]
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/models/measured.hpp"
#include "bench/support/page_cache.hpp"
#include "bench/support/timing.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/nn/upload.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace {

using namespace reelfarm;

constexpr int kRounds = 3;
constexpr std::int64_t kPinned = std::int64_t{64} << 20;  // bytes

/// How fast the processors copy the files' pages: each of 16 threads takes its share of every tensor.
void fill_with_threads(const std::vector<at::Tensor>& mapped, const at::Tensor& pinned) {
  constexpr std::int64_t kThreads = 16;
  const std::int64_t room = pinned.numel() / kThreads;
  const auto copy_share = [&](std::int64_t thread) {
    auto* to = static_cast<std::byte*>(pinned.mutable_data_ptr()) + thread * room;
    for (const at::Tensor& tensor : mapped) {
      const std::int64_t share = (tensor.numel() + kThreads - 1) / kThreads;
      const std::int64_t end = std::min(tensor.numel(), (thread + 1) * share);
      for (std::int64_t begin = thread * share; begin < end; begin += room) {
        const auto bytes = static_cast<std::size_t>(std::min(room, end - begin));
        std::memcpy(to, static_cast<const std::byte*>(tensor.const_data_ptr()) + begin, bytes);
      }
    }
  };
  std::vector<std::jthread> threads;
  for (std::int64_t thread = 0; thread < kThreads; ++thread) threads.emplace_back(copy_share, thread);
}

struct Row {
  std::string name;
  std::function<void()> work;
  std::vector<double> seconds = {};
};

void run(const std::string& path, bool cold) {
  const c10::Device device = nn::resolve_device("cuda");
  const auto source = weights::TensorSource::open(path);
  std::vector<at::Tensor> mapped;
  std::int64_t bytes = 0;
  for (const std::string& name : source->names()) {
    const weights::TensorInfo& info = source->at(name);
    mapped.push_back(at::from_blob(const_cast<std::byte*>(info.bytes.data()),
                                   {static_cast<std::int64_t>(info.bytes.size())},
                                   at::TensorOptions().dtype(at::kByte)));
    bytes += static_cast<std::int64_t>(info.bytes.size());
  }
  std::string cat = "cat";
  for (const auto& file : source->files()) cat += " '" + file.string() + "'";
  const auto each = [&](const std::function<at::Tensor(const at::Tensor&)>& copy) {
    std::vector<at::Tensor> there;
    for (const at::Tensor& tensor : mapped) there.push_back(copy(tensor));
    bench::finish(there.back());
  };
  const at::Tensor pinned = at::zeros({kPinned}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
  const at::Tensor there = at::empty({kPinned}, at::TensorOptions().dtype(at::kByte).device(device));
  std::vector<Row> rows;
  rows.push_back({"Tensor::to", [&] { each([&](const at::Tensor& x) { return x.to(device); }); }});
  rows.push_back({"nn::upload", [&] { each([&](const at::Tensor& x) { return nn::upload(x, device); }); }});
  if (cold) {
    rows.push_back({"cat FILES >/dev/null", [&] {
                      if (std::system((cat + " >/dev/null").c_str()) != 0) throw std::runtime_error("cat failed");
                    }});
  } else {
    rows.push_back({"files to pinned memory", [&] { fill_with_threads(mapped, pinned); }});
    rows.push_back({"pinned memory to the GPU", [&] {
                      for (std::int64_t done = 0; done < bytes; done += kPinned) there.copy_(pinned, true);
                      bench::finish(there);
                    }});
  }
  for (const Row& row : rows) row.work();  // maps the memory of GPU and host
  for (int round = 0; round < kRounds; ++round) {
    for (Row& row : rows) {
      if (cold) std::ranges::for_each(source->files(), bench::drop_from_cache);
      row.seconds.push_back(bench::seconds(row.work));
    }
  }
  const double ceiling = bench::median(rows.back().seconds);
  std::printf("%zu tensors, %.2f GB, %s, %u processors, medians of %d\n", mapped.size(),
              static_cast<double>(bytes) / 1e9, cold ? "cold" : "warm", std::thread::hardware_concurrency(), kRounds);
  for (const Row& row : rows) {
    const double taken = bench::median(row.seconds);
    std::printf("%-28s %8.3f s %8.2f GB/s %6.0f %%\n", row.name.c_str(), taken,
                static_cast<double>(bytes) / taken / 1e9, 100 * ceiling / taken);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string state = argc > 2 ? argv[2] : "warm";
    if (argc < 2 || argc > 3 || (state != "warm" && state != "cold")) {
      throw std::invalid_argument("usage: bench_upload FILE_OR_FOLDER [warm|cold]");
    }
    run(argv[1], state == "cold");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_upload: %s\n", error.what());
    return 2;
  }
}
