#pragma once

#include "pipeline/nn/cuda/kernel_table.hpp"

namespace reelfarm::nn::cuda {

// The entries of the table, one .cu file each.
int norm_rotate(const NormRotate* arguments, void* stream);
int modulated_layer_norm(const ModulatedLayerNorm* arguments, void* stream);
int join_rows(const JoinRows* arguments, void* stream);
int gated_add(const GatedAdd* arguments, void* stream);
int scale_sums(const ScaleSums* arguments, void* stream);
int absmax_tokens(const Tokens* arguments, void* stream);
int quantise_tokens(const Tokens* arguments, void* stream);
int attention_scales(AttentionScales* scales, void* stream);
int group_affine(const GroupAffine* arguments, void* stream);
int pad_video(const PadVideo* arguments, void* stream);
int biased_add(const BiasedAdd* arguments, void* stream);
int interleave_phases(const InterleavePhases* arguments, void* stream);
std::int64_t fp8_attention_workspace(const Fp8Attention* arguments);
int fp8_attention(const Fp8Attention* arguments, void* stream);
const char* fp8_attention_error();

}  // namespace reelfarm::nn::cuda
