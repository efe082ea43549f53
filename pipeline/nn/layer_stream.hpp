#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace reelfarm::nn {

/// The parameters of like layers in host memory, which come to the device one layer after another, ahead of use.
///
/// Two slots of device memory hold two layers: while one is computed with, the next is copied on a stream of its own.
/// On a GPU the host's copy is in pinned memory, so that a copy goes at the bus's rate and asks nothing of the host. On
/// the CPU the same happens in the order of calls, which is there for tests.
class LayerStream {
 public:
  explicit LayerStream(c10::Device device);
  ~LayerStream();
  LayerStream(LayerStream&&) noexcept;

  /// Copies the next layer's parameters (dense, on any device) to the host and lets the tensors lie in the layer's
  /// slot from now on; what they hold is only right inside a Pass. Throws std::invalid_argument for a layer whose
  /// parameters do not take as many bytes as the first one's.
  void take(const std::vector<at::Tensor*>& parameters);

  std::int64_t layers() const;
  /// Of one layer: what a slot takes, and each layer in host memory.
  std::int64_t layer_bytes() const;

  /// Goes once through layers 0 to count - 1. One pass at a time: a second waits in its constructor.
  class Pass {
   public:
    Pass(LayerStream& layers, std::int64_t count);
    ~Pass();
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    /// What the current stream is given from now on finds the layer's parameters. Layers come in order.
    void enter(std::int64_t layer);
    /// The current stream has been given all that reads the layer; its slot takes the next but one, at the end those
    /// that the next pass begins with.
    void leave(std::int64_t layer);

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::nn
