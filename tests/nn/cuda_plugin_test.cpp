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
  EXPECT_NE(cuda_kernels()->norm_rotate, nullptr);
  EXPECT_NE(cuda_kernels()->modulated_layer_norm, nullptr);
  EXPECT_STRNE(cuda_kernels()->error_text(1), "");
}

TEST(CudaPluginFile, ALibraryWithoutTheTableIsRefused) {
  void* self = dlopen(nullptr, RTLD_NOW);
  EXPECT_THROW(adopt_cuda_kernels(self, "a stranger"), std::runtime_error);
}

}  // namespace
}  // namespace reelfarm::nn
