#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/nn/layer_stream.hpp"

namespace reelfarm::nn {

/// A row of like layers, the first of them on the device, the others streamed from host memory as a run goes through
/// them. Layer::parameters() gives the addresses of all its tensors, in the same order for each layer.
template <typename Layer>
class LayerStore {
 public:
  /// make(i) builds layer i, of `count`, on the device; at most one layer more than the resident ones lies there
  /// meanwhile, besides the stream's two slots.
  template <typename Make>
  LayerStore(std::int64_t count, std::int64_t resident, c10::Device device, const Make& make)
      : resident_(std::min(count, resident)) {
    layers_.reserve(static_cast<std::size_t>(count));
    if (resident_ < count) stream_.emplace(device);
    for (std::int64_t i = 0; i < count; ++i) {
      layers_.push_back(make(i));
      if (i >= resident_) stream_->take(layers_.back().parameters());
    }
  }

  std::int64_t size() const { return static_cast<std::int64_t>(layers_.size()); }

  /// act(layer, i) for the first `count` layers, in order, queued on the current stream. Where some are streamed, one
  /// thread at a time. What `act` throws ends the run.
  template <typename Act>
  void run(std::int64_t count, const Act& act) const {
    std::optional<LayerStream::Pass> pass;
    if (count > resident_) pass.emplace(*stream_, count - resident_);
    for (std::int64_t i = 0; i < count; ++i) {
      if (i >= resident_) pass->enter(i - resident_);
      act(layers_[static_cast<std::size_t>(i)], i);
      if (i >= resident_) pass->leave(i - resident_);
    }
  }

 private:
  std::int64_t resident_;
  std::vector<Layer> layers_;  // never grows again: the stream fills the tensors where they are
  mutable std::optional<LayerStream> stream_;
};

}  // namespace reelfarm::nn
