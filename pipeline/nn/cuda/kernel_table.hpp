#pragma once

#include <cstdint>

// The border between programs and the CUDA plug-in: C calls and plain structs, so that neither side's compiler or C++
// library version matters. Both sides include this file; neither CUDA's nor LibTorch's headers are needed for it.

namespace reelfarm::nn::cuda {

/// Raised at every change of a struct below.
constexpr std::uint32_t kKernelTableVersion = 3;

/// The one symbol that the plug-in exports: `const KernelTable* reelfarm_cuda_kernel_table()`.
constexpr const char* kKernelTableSymbol = "reelfarm_cuda_kernel_table";

enum class Element : std::int32_t { f32 = 0, bf16 = 1, e4m3 = 2, i8 = 3 };

/// x: (tokens, heads, head_dim), heads dense, tokens `token_stride` elements apart; in place. weight: (head_dim) of the
/// same element. cos, sin: (tokens, head_dim / 2) or null. head_dim is even and at most kMaxHeadDim.
struct NormRotate {
  void* x;
  const void* weight;
  const float* cos;
  const float* sin;
  std::int64_t tokens;
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t token_stride;
  float eps;
  Element element;
};
constexpr std::int64_t kMaxHeadDim = 512;

/// out = (x - mean) / sqrt(variance + eps) * scale + shift over rows of `features`, all dense, of one element and
/// aligned to two of them. features is even and at most kMaxFeatures. Where `row_scales` is not null, `out` is of
/// `eight_bits`: each row is divided by its largest magnitude / 448 (e4m3) or / 127 (i8), which goes to row_scales
/// (rows), and rounded to nearest even. A row of zeros has a scale of 1, one with a NaN that of NaN.
struct ModulatedLayerNorm {
  const void* x;
  void* out;
  const void* scale;
  const void* shift;
  float* row_scales;
  std::int64_t rows;
  std::int64_t features;
  float eps;
  Element element;
  Element eight_bits = Element::e4m3;
};
constexpr std::int64_t kMaxFeatures = 8192;

/// out = [left | gelu_tanh(right)] over rows, or without the gelu. Rows lie their stride apart and begin on 16 bytes;
/// both widths are multiples of kJoinUnit, together at most kMaxJoined. `left` (null where its width is 0) is bf16, or
/// e4m3 times left_scales (rows). right: bf16. Where `row_scales` is not null, `out` is of `eight_bits` and each row
/// divided as above; else it is bf16 and may be the same memory as `right`.
struct JoinRows {
  const void* left = nullptr;
  const float* left_scales = nullptr;
  const void* right;
  void* out;
  float* row_scales;
  std::int64_t rows;
  std::int64_t left_features = 0;
  std::int64_t right_features;
  std::int64_t left_stride = 0;
  std::int64_t right_stride;
  std::int64_t out_stride;
  Element left_element = Element::bf16;
  Element eight_bits = Element::e4m3;
  bool gelu = false;
};
constexpr std::int64_t kJoinUnit = 8;
constexpr std::int64_t kMaxJoined = 16384;

/// x += y * gate, rounded once. x, y: (rows, features) bf16, dense rows that begin on 16 bytes; gate: (features) bf16.
/// features is a multiple of kJoinUnit.
struct GatedAdd {
  void* x;
  const void* y;
  const void* gate;
  std::int64_t rows;
  std::int64_t features;
};

/// out = sums * row_scales * column_scales + bias, rounded once: what a product of 8-bit integers stands for. sums:
/// (rows, features) int32; row_scales: (rows), column_scales: (features) fp32; bias: (features), out: (rows, features)
/// bf16. All are dense and begin on 16 bytes; features is a multiple of kJoinUnit.
struct ScaleSums {
  const std::int32_t* sums;
  const float* row_scales;
  const float* column_scales;
  const void* bias;
  void* out;
  std::int64_t rows;
  std::int64_t features;
};

/// Of (tokens, features) bf16, dense; mean: (features) fp32 or null; features is a multiple of kJoinUnit.
/// absmax_tokens: *number = the largest |x - mean|, unless it holds a larger one; quantise_tokens:
/// out = e4m3((x - mean) / *number).
struct Tokens {
  const void* x;
  const float* mean;
  float* number;
  void* out;
  std::int64_t tokens;
  std::int64_t features;
};

/// What cuDNN's attention in e4m3 reads and writes besides its tensors, in the memory of the device. q stands for
/// itself times descale_q, and so on; the softmax's numerators are stored times scale_s.
struct AttentionScales {
  float descale_q, descale_k, descale_v, descale_s, scale_s, scale_o, amax_s, amax_o;
};

/// softmax(q k^T * factor) v with q, k, v and out e4m3 and (tokens, heads, head_dim), dense; out comes in units of
/// scales->descale_v. `workspace` is as large as fp8_attention_workspace says for the same shape.
struct Fp8Attention {
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  AttentionScales* scales = nullptr;
  void* workspace = nullptr;
  std::int64_t query_tokens;
  std::int64_t key_tokens;
  std::int64_t heads;
  std::int64_t head_dim;
  float factor;
};

/// A video in bf16, channels last in memory: frames x rows x columns of `channels`, which are a multiple of kJoinUnit,
/// dense, and begin on 16 bytes.
struct VideoShape {
  std::int64_t frames;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t channels;
};

/// Group norm of x + offset as x * scale + shift: scale, shift (channels) fp32. weight, bias, offset: (channels) fp32,
/// offset may be null. partial: (kMomentBlocks, 2, channels) fp32, scratch. The same bits at every call. channels is at
/// most kMaxNormChannels, and `groups` divides it.
struct GroupAffine {
  const void* x;
  const float* weight;
  const float* bias;
  const float* offset;
  float* partial;
  float* scale;
  float* shift;
  std::int64_t voxels;
  std::int64_t channels;
  std::int64_t groups;
  float eps;
};
constexpr std::int64_t kMomentBlocks = 528;
constexpr std::int64_t kMaxNormChannels = 1024;

/// out = silu(x * scale + shift), or x where scale is null, with replicated borders: `time` frames before the first,
/// `space` pixels on each side. out: (frames + time, rows + 2 space, columns + 2 space) of the same kind.
struct PadVideo {
  const void* x;
  const float* scale;
  const float* shift;
  void* out;
  VideoShape shape;
  std::int64_t time;
  std::int64_t space;
};

/// y += x + bias, rounded once. y, x: bf16, (voxels, channels) as above; bias: (channels) fp32.
struct BiasedAdd {
  void* y;
  const void* x;
  const float* bias;
  std::int64_t voxels;
  std::int64_t channels;
};

/// vae::interleave_phases of channels last tensors, plus bias (phases * channels) fp32, which may be null. `shape` is
/// the result's.
struct InterleavePhases {
  const void* phases;
  const float* bias;
  void* out;
  VideoShape shape;
  bool time;
  bool space;
};

/// Each call queues its kernel on `stream` (a cudaStream_t of the current device) and gives 0 or a cudaError_t.
struct KernelTable {
  std::uint32_t version;
  const char* (*error_text)(int error);
  int (*norm_rotate)(const NormRotate* arguments, void* stream);
  int (*modulated_layer_norm)(const ModulatedLayerNorm* arguments, void* stream);
  int (*join_rows)(const JoinRows* arguments, void* stream);
  int (*gated_add)(const GatedAdd* arguments, void* stream);
  int (*scale_sums)(const ScaleSums* arguments, void* stream);
  int (*absmax_tokens)(const Tokens* arguments, void* stream);
  int (*quantise_tokens)(const Tokens* arguments, void* stream);
  /// The largest magnitudes of q, k and v, in their places, become the descales; the other numbers are set.
  int (*attention_scales)(AttentionScales* scales, void* stream);
  int (*group_affine)(const GroupAffine* arguments, void* stream);
  int (*pad_video)(const PadVideo* arguments, void* stream);
  int (*biased_add)(const BiasedAdd* arguments, void* stream);
  int (*interleave_phases)(const InterleavePhases* arguments, void* stream);
  /// Bytes, or -1 where cuDNN has no kernel for the shape on the current device; fp8_attention_error() then tells the
  /// same thread why. All three are null in a plug-in that was built without cuDNN's headers.
  std::int64_t (*fp8_attention_workspace)(const Fp8Attention* arguments);
  int (*fp8_attention)(const Fp8Attention* arguments, void* stream);
  const char* (*fp8_attention_error)();
};

}  // namespace reelfarm::nn::cuda
