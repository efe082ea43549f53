#include "pipeline/nn/layer_stream.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

namespace reelfarm::nn {
namespace {

constexpr std::int64_t kSlots = 2;
constexpr std::int64_t kAlignment = 256;  // bytes: what CUDA's allocations have

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// A part of `memory` as a tensor of the shape and type of `like`.
at::Tensor view_like(const at::Tensor& memory, std::int64_t offset, const at::Tensor& like) {
  const auto bytes = static_cast<std::int64_t>(like.nbytes());
  return memory.narrow(0, offset, bytes).view(like.scalar_type()).view(like.sizes());
}

}  // namespace

struct LayerStream::Impl {
  struct Slot {
    at::Tensor memory;
    std::int64_t holds = -1;  // layer, perhaps still on its way
    std::optional<c10::Event> filled = {};
    std::optional<c10::Event> used = {};
  };

  explicit Impl(c10::Device where) : device(where) {
    if (!device.is_cuda()) return;
    copies = guard().getStreamFromGlobalPool(device, /*isHighPriority=*/true);
    for (Slot& slot : slots) {
      slot.filled.emplace(device.type());
      slot.used.emplace(device.type());
    }
  }

  c10::impl::VirtualGuardImpl guard() const { return c10::impl::VirtualGuardImpl(device.type()); }
  Slot& slot_of(std::int64_t layer) { return slots[static_cast<std::size_t>(layer % kSlots)]; }

  void fetch(std::int64_t layer) {
    Slot& slot = slot_of(layer);
    if (slot.holds == layer) return;
    slot.holds = layer;
    const at::Tensor& from = host[static_cast<std::size_t>(layer)];
    if (!copies) {
      slot.memory.copy_(from);
      return;
    }
    slot.used->block(*copies);
    const c10::Stream own = guard().exchangeStream(*copies);
    slot.memory.copy_(from, /*non_blocking=*/true);
    guard().exchangeStream(own);
    slot.filled->record(*copies);
  }

  c10::Device device;
  std::optional<c10::Stream> copies;
  std::vector<at::Tensor> host;  // (layer_bytes) each
  std::array<Slot, kSlots> slots;
  std::mutex passing;
};

LayerStream::LayerStream(c10::Device device) : impl_(std::make_unique<Impl>(device)) {}
LayerStream::~LayerStream() = default;
LayerStream::LayerStream(LayerStream&&) noexcept = default;

void LayerStream::take(const std::vector<at::Tensor*>& parameters) {
  std::int64_t bytes = 0;
  for (const at::Tensor* parameter : parameters) bytes += aligned(static_cast<std::int64_t>(parameter->nbytes()));
  const auto byte_options = at::TensorOptions().dtype(at::kByte);
  if (impl_->host.empty()) {
    for (Impl::Slot& slot : impl_->slots) slot.memory = at::empty({bytes}, byte_options.device(impl_->device));
  } else if (bytes != layer_bytes()) {
    throw std::invalid_argument("layer " + std::to_string(layers()) + " has " + std::to_string(bytes) +
                                " bytes of parameters, the first one " + std::to_string(layer_bytes()));
  }
  const at::Tensor host = at::empty({bytes}, byte_options.pinned_memory(impl_->device.is_cuda()));
  const at::Tensor& slot = impl_->slot_of(layers()).memory;
  std::int64_t offset = 0;
  for (at::Tensor* parameter : parameters) {
    view_like(host, offset, *parameter).copy_(*parameter);
    const auto taken = static_cast<std::int64_t>(parameter->nbytes());
    *parameter = view_like(slot, offset, *parameter);
    offset += aligned(taken);
  }
  impl_->host.push_back(host);
}

std::int64_t LayerStream::layers() const {
  return static_cast<std::int64_t>(impl_->host.size());
}

std::int64_t LayerStream::layer_bytes() const {
  return impl_->host.empty() ? 0 : impl_->host.front().numel();
}

struct LayerStream::Pass::State {
  Impl& layers;
  std::int64_t count;
  std::unique_lock<std::mutex> alone;
};

LayerStream::Pass::Pass(LayerStream& layers, std::int64_t count)
    : state_(std::make_unique<State>(State{*layers.impl_, count, std::unique_lock(layers.impl_->passing)})) {
  for (std::int64_t layer = 0; layer < std::min(count, kSlots); ++layer) state_->layers.fetch(layer);
}

LayerStream::Pass::~Pass() = default;

void LayerStream::Pass::enter(std::int64_t layer) {
  Impl& layers = state_->layers;
  layers.fetch(layer);  // what an abandoned pass left behind
  if (layers.copies) layers.slot_of(layer).filled->block(layers.guard().getStream(layers.device));
}

void LayerStream::Pass::leave(std::int64_t layer) {
  Impl& layers = state_->layers;
  if (layers.copies) layers.slot_of(layer).used->record(layers.guard().getStream(layers.device));
  const std::int64_t next = layer + kSlots < state_->count ? layer + kSlots : layer % kSlots;
  layers.fetch(next);
}

}  // namespace reelfarm::nn
