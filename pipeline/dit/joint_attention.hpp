#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::dit {

/// Attention over image and text tokens together: the one place where tokens of different ranks meet.
///
/// The transformer keeps both kinds in one buffer, image first, so that the local form needs no concatenation; a
/// sequence-parallel form takes narrow(0, 0, image_tokens) as its shard of the image and the rest as the whole text.
class JointAttention {
 public:
  virtual ~JointAttention() = default;

  /// A call that is under way: what the caller does between its steps runs beside what they have to exchange.
  class Call {
   public:
    virtual ~Call() = default;
    /// Whether anything is exchanged.
    virtual bool exchanges() const { return false; }
    /// May be called once, before finish(): q, k and v have come, and the results are on their way.
    virtual void attend() {}
    /// Once. (tokens, heads * head_dim), which may come in 8 bits.
    virtual quant::Rows finish() = 0;
  };

  /// q, k, v: (image_tokens + text_tokens, heads, head_dim), normed and rotated, unchanged until finish(); of text they
  /// may still be written before the call's next step. Collective in implementations that span ranks; there
  /// image_tokens is the rank's padded shard.
  virtual std::unique_ptr<Call> begin(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      std::int64_t image_tokens) const = 0;

  quant::Rows operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         std::int64_t image_tokens) const {
    return begin(q, k, v, image_tokens)->finish();
  }
};

/// An attention with nothing to exchange: all of it is done at finish().
class WholeAttention : public JointAttention {
 public:
  std::unique_ptr<Call> begin(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              std::int64_t image_tokens) const final;

 private:
  virtual quant::Rows attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             std::int64_t image_tokens) const = 0;
};

/// All tokens are here: one attention over the buffer, in 8 bits where that is asked for and the device has it.
class LocalJointAttention final : public WholeAttention {
 public:
  explicit LocalJointAttention(bool quantised = false) : quantised_(quantised) {}

 private:
  quant::Rows attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::int64_t image_tokens) const override;

  bool quantised_;
};

}  // namespace reelfarm::dit
