#include "worker/ranks/self_test.hpp"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "parallel/mpi_session.hpp"
#include "parallel/nccl_api.hpp"
#include "parallel/nccl_process_group.hpp"
#include "parallel/thread_group.hpp"
#include "pipeline/nn/add.hpp"
#include "pipeline/nn/cuda_backend.hpp"
#include "pipeline/nn/cuda_kernels.hpp"
#include "worker/ranks/cuda_driver.hpp"

namespace reelfarm::worker {
namespace {

using nlohmann::json;

/// Whole numbers so small that every sum and product below is exact in any type and order.
at::Tensor small_numbers(at::IntArrayRef shape) {
  return at::randint(-8, 9, shape, at::kFloat);
}

/// Says that it begins, and how it ended. False: it failed.
template <typename Try>
bool tried(const SelfTestSink& say, json line, Try attempt) {
  line["state"] = "begun";
  say(line);
  try {
    attempt(line);
    line["state"] = "passed";
  } catch (const std::exception& error) {
    line["state"] = "failed";
    line["error"] = error.what();
  }
  say(line);
  return line["state"] == "passed";
}

/// Collective. Whether the sum of rank + 1 over the ranks, times a million of the same numbers, is right on all of
/// them.
bool sums_right(parallel::ProcessGroup& group, c10::Device device) {
  constexpr std::int64_t kElements = 1 << 20;  // 4 MiB: more than MPI and NCCL send as one small message
  const at::Tensor one = at::ones({kElements}, at::kFloat).to(device);
  const at::Tensor sum = group.all_gather(one * (group.rank() + 1)).sum(0);
  group.settle();
  const double expected = group.size() * (group.size() + 1) / 2.0;
  const bool right = sum.cpu().eq(expected).all().item<bool>();
  const at::Tensor all = group.all_gather(at::full({1}, right ? 1 : 0, at::kInt));
  return all.min().item<int>() == 1;
}

bool multiplies_right(c10::Device gpu) {
  const at::Tensor a = small_numbers({512, 384});
  const at::Tensor b = small_numbers({384, 256});
  return at::matmul(a.to(gpu), b.to(gpu)).cpu().equal(at::matmul(a, b));
}

/// One of the plug-in's kernels on this GPU: a card for which none was compiled refuses it.
std::string kernels_of(c10::Device gpu) try {
  if (nn::cuda_kernels() == nullptr) return "absent";
  const at::Tensor x = small_numbers({64, 128});
  const at::Tensor y = small_numbers({64, 128});
  const at::Tensor gate = small_numbers({128});
  const auto on_gpu = [gpu](const at::Tensor& tensor) { return tensor.to(gpu, at::kBFloat16); };
  const at::Tensor result = on_gpu(x);
  nn::add_gated_(result, on_gpu(y), on_gpu(gate));
  return result.cpu().to(at::kFloat).equal(x + y * gate) ? "run" : "they calculate something else than the CPU";
} catch (const std::exception& error) {
  return error.what();
}

void try_gpu(const SelfTestSink& say, int index) {
  tried(say, json::object({{"check", "gpu"}, {"gpu", index}}), [index](json& line) {
    line["name"] = nn::cuda_device_name(index);
    line["memory"] = nn::cuda_device_memory(index);
    line["capability"] = nn::cuda_compute_capability(index);
    line["runtime"] = at::detail::getCUDAHooks().versionCUDART();
    const c10::Device gpu(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
    line["right"] = multiplies_right(gpu);
    line["kernels"] = kernels_of(gpu);
  });
}

/// The GPUs that one process sees, a thread each, as ranks of the farm have one each.
void try_nccl(const SelfTestSink& say, int gpus) {
  constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(60);
  tried(say, json::object({{"check", "nccl"}}), [gpus](json& line) {
    line["version"] = parallel::load_nccl()->version();
    line["gpus"] = gpus;
    std::atomic<bool> right = true;
    const auto rank = [&right](parallel::ProcessGroup& threads) {
      const c10::Device gpu(c10::kCUDA, static_cast<c10::DeviceIndex>(threads.rank()));
      const c10::DeviceGuard guard(gpu);
      const auto group = parallel::group_on(gpu, threads.split(0));
      if (!sums_right(*group, gpu)) right = false;
    };
    if (gpus > 1) parallel::run_thread_ranks(gpus, rank, kPatience);
    line["right"] = right.load();
  });
}

void try_gpus(const SelfTestSink& say) {
  DriverAnswer driver;
  const bool usable = tried(say, json::object({{"check", "gpus"}}), [&driver](json& line) {
    driver = ask_cuda_driver();
    line["count"] = driver.gpus;
    line["driver"] = driver.version;
    if (!driver.error.empty()) throw std::runtime_error(driver.error);
    if (driver.gpus > 0) nn::load_cuda_backend();
  });
  if (!usable || driver.gpus == 0) return;
  for (int index = 0; index < driver.gpus; ++index) try_gpu(say, index);
  try_nccl(say, driver.gpus);
}

}  // namespace

void begin_self_test(const SelfTestSink& say) {
  say({{"check", "mpi"}, {"state", "begun"}});
}

void run_self_test(parallel::ProcessGroup& world, const SelfTestSink& say) {
  const bool right = sums_right(world, c10::kCPU);
  if (world.rank() == 0) {
    say({{"check", "mpi"},
         {"state", "passed"},
         {"ranks", world.size()},
         {"library", parallel::MpiSession::library()},
         {"right", right}});
    try_gpus(say);
  }
  world.barrier();
}

}  // namespace reelfarm::worker
