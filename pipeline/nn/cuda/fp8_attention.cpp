#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <cuda_runtime_api.h>
#include <cudnn_frontend.h>

#include "pipeline/nn/cuda/launchers.hpp"

// The frontend calls the cuDNN that LibTorch has loaded, or would load: it is looked up by its soname.
void* cudnn_frontend::cudnn_dlhandle = nullptr;

namespace reelfarm::nn::cuda {
namespace {

namespace fe = cudnn_frontend;

/// Names of the graph's tensors.
enum Name : fe::graph::Tensor_attributes::uid_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kDescaleQ,
  kDescaleK,
  kDescaleV,
  kDescaleS,
  kScaleS,
  kScaleO,
  kAmaxS,
  kAmaxO,
};

void require(fe::error_t status) {
  if (status.is_bad()) throw std::runtime_error(status.get_message());
}

void require(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(what) + ": " + fe::detail::get_error_string(status));
  }
}

struct Plan {
  std::shared_ptr<fe::graph::Graph> graph;
  std::int64_t workspace = 0;
  std::string refusal;  // why there is no graph
};

Plan build(const Fp8Attention& a, cudnnHandle_t handle) {
  Plan plan{std::make_shared<fe::graph::Graph>(), 0, {}};
  fe::graph::Graph& graph = *plan.graph;
  graph.set_io_data_type(fe::DataType_t::FP8_E4M3)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const std::int64_t width = a.heads * a.head_dim;
  const auto tokens = [&](const char* name, Name uid, std::int64_t count) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_name(name)
                            .set_uid(uid)
                            .set_dim({1, a.heads, count, a.head_dim})
                            .set_stride({count * width, a.head_dim, width, 1})
                            .set_data_type(fe::DataType_t::FP8_E4M3));
  };
  const auto scalar = [&](const char* name, Name uid) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_name(name)
                            .set_uid(uid)
                            .set_dim({1, 1, 1, 1})
                            .set_stride({1, 1, 1, 1})
                            .set_data_type(fe::DataType_t::FLOAT));
  };
  const auto options =
      fe::graph::SDPA_fp8_attributes().set_name("attention").set_generate_stats(false).set_attn_scale(a.factor);
  const auto [out, stats, amax_s, amax_o] =
      graph.sdpa_fp8(tokens("q", kQ, a.query_tokens), tokens("k", kK, a.key_tokens), tokens("v", kV, a.key_tokens),
                     scalar("descale_q", kDescaleQ), scalar("descale_k", kDescaleK), scalar("descale_v", kDescaleV),
                     scalar("descale_s", kDescaleS), scalar("scale_s", kScaleS), scalar("scale_o", kScaleO), options);
  out->set_output(true)
      .set_uid(kOut)
      .set_dim({1, a.heads, a.query_tokens, a.head_dim})
      .set_stride({a.query_tokens * width, a.head_dim, width, 1})
      .set_data_type(fe::DataType_t::FP8_E4M3);
  for (const auto& [amax, uid] : {std::pair{amax_s, kAmaxS}, std::pair{amax_o, kAmaxO}}) {
    amax->set_output(true)
        .set_uid(uid)
        .set_dim({1, 1, 1, 1})
        .set_stride({1, 1, 1, 1})
        .set_data_type(fe::DataType_t::FLOAT);
  }
  require(graph.validate());
  require(graph.build_operation_graph(handle));
  require(graph.create_execution_plans({fe::HeurMode_t::A}));
  require(graph.check_support());
  require(graph.build_plans());
  require(graph.get_workspace_size(plan.workspace));
  return plan;
}

/// The plans of one device, and its handle. A handle is for one thread at a time.
class Device {
 public:
  Device() { require(fe::detail::create_handle(&handle_), "cudnnCreate"); }

  const Plan& plan(const Fp8Attention& a) {
    const Shape shape{a.query_tokens, a.key_tokens, a.heads, a.head_dim};
    auto at = plans_.find(shape);
    if (at == plans_.end()) {
      Plan plan;
      try {
        plan = build(a, handle_);
      } catch (const std::exception& error) {
        plan.refusal = error.what();
      }
      at = plans_.emplace(shape, std::move(plan)).first;
    }
    if (!at->second.refusal.empty()) throw std::runtime_error(at->second.refusal);
    return at->second;
  }

  void run(const Fp8Attention& a, void* stream) {
    const Plan& chosen = plan(a);
    require(fe::detail::set_stream(handle_, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
    std::unordered_map<fe::graph::Tensor_attributes::uid_t, void*> tensors = {
        {kQ, const_cast<void*>(a.q)},      {kK, const_cast<void*>(a.k)},
        {kV, const_cast<void*>(a.v)},      {kOut, a.out},
        {kDescaleQ, &a.scales->descale_q}, {kDescaleK, &a.scales->descale_k},
        {kDescaleV, &a.scales->descale_v}, {kDescaleS, &a.scales->descale_s},
        {kScaleS, &a.scales->scale_s},     {kScaleO, &a.scales->scale_o},
        {kAmaxS, &a.scales->amax_s},       {kAmaxO, &a.scales->amax_o},
    };
    require(chosen.graph->execute(handle_, tensors, a.workspace));
  }

 private:
  using Shape = std::array<std::int64_t, 4>;
  cudnnHandle_t handle_ = nullptr;  // lives as long as the process, as LibTorch's do
  std::map<Shape, Plan> plans_;
};

std::mutex mutex;
thread_local std::string last_error;

/// Of the current device. Its softmax factor follows from head_dim, so that the shape names the plan.
Device& device() {
  static std::map<int, Device>* const devices = new std::map<int, Device>();  // outlives CUDA's own tear-down
  if (cudnn_frontend::cudnn_dlhandle == nullptr) {
    cudnn_frontend::cudnn_dlhandle = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (cudnn_frontend::cudnn_dlhandle == nullptr) throw std::runtime_error(dlerror());
  }
  int index = 0;
  if (const cudaError_t error = cudaGetDevice(&index); error != cudaSuccess) {
    throw std::runtime_error(cudaGetErrorString(error));
  }
  return (*devices)[index];
}

template <typename Result, typename Work>
Result guarded(Result failed, const Work& work) {
  const std::lock_guard lock(mutex);
  try {
    return work();
  } catch (const std::exception& error) {
    last_error = std::string("cuDNN: ") + error.what();
    return failed;
  }
}

}  // namespace

std::int64_t fp8_attention_workspace(const Fp8Attention* arguments) {
  return guarded<std::int64_t>(-1, [&] { return device().plan(*arguments).workspace; });
}

int fp8_attention(const Fp8Attention* arguments, void* stream) {
  return guarded<int>(cudaErrorUnknown, [&] {
    device().run(*arguments, stream);
    return static_cast<int>(cudaSuccess);
  });
}

const char* fp8_attention_error() {
  return last_error.c_str();
}

}  // namespace reelfarm::nn::cuda
