#pragma once

#include "pipeline/nn/cuda/kernel_table.hpp"

namespace reelfarm::nn::cuda {

// The entries of the table, one .cu file each.
int norm_rotate(const NormRotate* arguments, void* stream);
int modulated_layer_norm(const ModulatedLayerNorm* arguments, void* stream);

}  // namespace reelfarm::nn::cuda
