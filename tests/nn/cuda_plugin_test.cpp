// What can be known of the CUDA plug-in without a GPU: it opens, and its table is of this program's version.
#include <dlfcn.h>

#include <string>

#include <gtest/gtest.h>

#include "pipeline/nn/cuda_kernels.hpp"

namespace reelfarm::nn {
namespace {

TEST(CudaPluginFile, OpensAndHasThisProgramsTable) {
  const std::string path = std::string(REELFARM_BIN_DIR) + "/../lib/libreelfarm_cuda.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_EQ(cuda_kernels(), nullptr);
  adopt_cuda_kernels(library, path.c_str());
  ASSERT_NE(cuda_kernels(), nullptr);
  const cuda::KernelTable& table = *cuda_kernels();
  for (const bool there :
       {table.norm_rotate != nullptr, table.modulated_layer_norm != nullptr, table.join_rows != nullptr,
        table.gated_add != nullptr, table.scale_sums != nullptr, table.absmax_tokens != nullptr,
        table.quantise_tokens != nullptr, table.attention_scales != nullptr, table.group_affine != nullptr,
        table.pad_video != nullptr, table.biased_add != nullptr, table.interleave_phases != nullptr}) {
    EXPECT_TRUE(there);
  }
  // What is built from cuDNN's headers is there whole or not at all.
  EXPECT_EQ(table.fp8_attention != nullptr, table.fp8_attention_workspace != nullptr);
  EXPECT_EQ(table.fp8_attention != nullptr, table.fp8_attention_error != nullptr);
  EXPECT_STRNE(cuda_kernels()->error_text(1), "");
}

TEST(CudaPluginFile, ALibraryWithoutTheTableIsRefused) {
  void* self = dlopen(nullptr, RTLD_NOW);
  EXPECT_THROW(adopt_cuda_kernels(self, "a stranger"), std::runtime_error);
}

}  // namespace
}  // namespace reelfarm::nn
