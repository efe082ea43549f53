#include "pipeline/quant/detail/join_rows.hpp"

#include <cstdint>

#include "pipeline/nn/cuda_kernels.hpp"

namespace reelfarm::quant::detail {
namespace {

bool aligned(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) % nn::cuda::kJoinUnit == 0 && x.size(1) % nn::cuda::kJoinUnit == 0 &&
         reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

bool plugin_takes(const Rows* left, const at::Tensor& x, const at::Tensor& out) {
  const std::int64_t features = x.size(1) + (left != nullptr ? left->values.size(1) : 0);
  if (!x.is_cuda() || nn::cuda_kernels() == nullptr || x.scalar_type() != at::kBFloat16 || !aligned(x) ||
      !aligned(out) || features > nn::cuda::kMaxJoined) {
    return false;
  }
  if (left == nullptr) return true;
  const at::ScalarType kind = left->values.scalar_type();
  return aligned(left->values) && kind == (left->plain() ? at::kBFloat16 : at::kFloat8_e4m3fn);
}

}  // namespace

bool join_rows(const Rows* left, const at::Tensor& x, bool gelu, const Rows& out) {
  if (!plugin_takes(left, x, out.values)) return false;
  nn::cuda::JoinRows arguments{
      .right = x.const_data_ptr(),
      .out = out.values.mutable_data_ptr(),
      .row_scales = out.plain() ? nullptr : out.scales.mutable_data_ptr<float>(),
      .rows = x.size(0),
      .right_features = x.size(1),
      .right_stride = x.stride(0),
      .out_stride = out.values.stride(0),
      .left_element = nn::cuda::Element::bf16,
      .eight_bits = out.values.scalar_type() == at::kChar ? nn::cuda::Element::i8 : nn::cuda::Element::e4m3,
      .gelu = gelu,
  };
  if (left != nullptr) {
    arguments.left = left->values.const_data_ptr();
    arguments.left_features = left->values.size(1);
    arguments.left_stride = left->values.stride(0);
    if (!left->plain()) {
      arguments.left_scales = left->scales.const_data_ptr<float>();
      arguments.left_element = nn::cuda::Element::e4m3;
    }
  }
  nn::launch_cuda_kernel(nn::cuda_kernels()->join_rows, arguments, x);
  return true;
}

}  // namespace reelfarm::quant::detail
