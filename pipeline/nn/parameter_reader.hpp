#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::nn {

/// Hands a component's tensors to the layers that are built from them, and remembers which were taken.
///
/// A scope is a dotted prefix: reader.scope("blocks.0").tensor("weight", {8, 8}) reads "blocks.0.weight". All scopes of
/// one reader share its record, so that expect_all_read() on any of them speaks of the whole component.
class ParameterReader {
 public:
  ParameterReader(std::shared_ptr<const weights::TensorSource> source, Placement placement);

  ParameterReader scope(std::string_view name) const;
  /// The same scope and record for parameters that live elsewhere (weights that stay off the GPU).
  ParameterReader with_placement(Placement placement) const;

  /// The tensor in the reader's dtype on its device. On the CPU, a tensor that is stored in that dtype is not copied:
  /// it stays a view of the mapped file, which lives as long as the view. Throws weights::WeightError naming file,
  /// tensor, expected and found shape.
  at::Tensor tensor(std::string_view name, at::IntArrayRef shape) const;
  /// The same in a dtype of the caller's choice (fp32 norms inside a bf16 model, integer tables).
  at::Tensor tensor(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype) const;

  bool has(std::string_view name) const;
  /// The stored shape; throws weights::WeightError when absent.
  std::vector<std::int64_t> shape(std::string_view name) const;
  /// Marks a tensor as known and not needed, such as `position_ids` buffers of old checkpoints. No error when absent.
  void ignore(std::string_view name) const;
  /// Marks every tensor below this scope plus `prefix` as known and not needed.
  void ignore_below(std::string_view prefix) const;

  /// Throws weights::WeightError that lists the first ten tensors nobody asked for.
  void expect_all_read() const;

  const Placement& placement() const { return placement_; }
  /// The full name of a tensor in this scope, for messages.
  std::string full_name(std::string_view name) const;

 private:
  struct Record;
  ParameterReader(std::shared_ptr<const weights::TensorSource> source, Placement placement, std::string prefix,
                  std::shared_ptr<Record> record);

  std::shared_ptr<const weights::TensorSource> source_;
  Placement placement_;
  std::string prefix_;
  std::shared_ptr<Record> record_;
};

}  // namespace reelfarm::nn
