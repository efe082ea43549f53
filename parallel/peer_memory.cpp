#include "parallel/peer_memory.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include "parallel/all_or_none.hpp"

namespace reelfarm::parallel {
namespace {

constexpr std::size_t kGranule = std::size_t{2} << 20;  // bytes: of CUDA's large pages

/// Of a tensor whose rows are contiguous.
struct Rows {
  explicit Rows(const at::Tensor& tensor)
      : count(tensor.dim() == 0 ? 1 : static_cast<std::size_t>(tensor.size(0))),
        width(count == 0 ? 0 : tensor.nbytes() / count),
        pitch(count < 2 ? width : static_cast<std::size_t>(tensor.stride(0)) * tensor.element_size()) {}
  std::size_t count;
  std::size_t width;  // bytes
  std::size_t pitch;  // bytes
};

}  // namespace

PeerMemory::PeerMemory(ProcessGroup& control, const std::function<std::shared_ptr<PeerDriver>()>& driver)
    : rank_(control.rank()), size_(control.size()), peers_(static_cast<std::size_t>(size_)) {
  const std::size_t count = (2 + peers_.size()) * peers_.size();
  const auto enlist = [&](SharedWords words) { words_ = std::make_unique<EnlistedWords>(driver_, std::move(words)); };
  std::string name;
  all_or_none(control, [&] {
    driver_ = driver();
    if (rank_ != 0) return;
    SharedWords words = SharedWords::create(count);
    name = words.name();
    enlist(std::move(words));
  });
  name = control.broadcast_text(name, 0);
  all_or_none(control, [&] {
    if (rank_ != 0) enlist(SharedWords::open(name, count));
  });
  words_->forget_name();
  grow(control, kGranule);
}

PeerMemory::~PeerMemory() {
  close_peers();
  if (!words_) return;
  word(left_word(rank_)) = 1;
  const auto deadline = std::chrono::steady_clock::now() + kLeaving;
  for (int rank = 0; rank < size_; ++rank) {
    while (word(left_word(rank)) == 0 && !let_go_ && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
}

void PeerMemory::grow(ProcessGroup& control, std::size_t bytes) {
  all_or_none(control, [&] { driver_->synchronize(); });
  close_peers();
  // Memory is freed when no rank has it open any more.
  control.barrier();
  own_.reset();
  std::vector<PeerHandle> handles(peers_.size());
  all_or_none(control, [&] {
    own_ = std::make_unique<OwnMemory>(driver_, (bytes + kGranule - 1) / kGranule * kGranule);
    handles[static_cast<std::size_t>(rank_)] = driver_->handle_of(own_->data());
  });
  for (int rank = 0; rank < size_; ++rank) {
    control.broadcast(std::as_writable_bytes(std::span(handles[static_cast<std::size_t>(rank)])), rank);
  }
  all_or_none(control, [&] {
    for (std::size_t rank = 0; rank < peers_.size(); ++rank) {
      if (static_cast<int>(rank) != rank_) {
        peers_[rank].memory = std::make_unique<OpenedMemory>(driver_, handles[rank]);
      }
    }
  });
}

void PeerMemory::close_peers() noexcept {
  for (Peer& peer : peers_) peer.memory.reset();
}

std::byte* PeerMemory::begin_round(DeviceQueue& queue) {
  queue.follow_current_stream();
  driver_->write(words_->there(round_word(rank_)), ++round_, queue.handle());
  return own_->data();
}

bool PeerMemory::holds(const at::Tensor& tensor) const {
  if (!tensor.defined() || own_ == nullptr) return false;
  const auto* begin = static_cast<const std::byte*>(tensor.const_data_ptr());
  return begin >= own_->data() && begin < own_->data() + own_->bytes();
}

bool PeerMemory::holds(const std::vector<Send>& sends, const std::vector<Receive>& receives) const {
  for (const Send& send : sends) {
    if (!holds(send.at)) return false;
    if (send.at.sizes() != send.tensor.sizes() || send.at.scalar_type() != send.tensor.scalar_type()) {
      throw std::invalid_argument("a tensor that is sent has not the size and type of where it lands");
    }
  }
  return std::ranges::all_of(receives, [&](const Receive& receive) { return holds(receive.tensor); });
}

void PeerMemory::exchange(const std::vector<Send>& sends, const std::vector<Receive>& receives, void* stream) {
  std::vector<int> to;
  for (const Send& send : sends) {
    if (std::ranges::find(to, send.to) == to.end()) to.push_back(send.to);
  }
  for (const int rank : to) {
    Peer& peer = peers_[static_cast<std::size_t>(rank)];
    if (std::exchange(peer.round, round_) != round_) driver_->wait(words_->there(round_word(rank)), round_, stream);
    for (const Send& send : sends) {
      if (send.to == rank) copy(send, peer, stream);
    }
    driver_->write(words_->there(come_word(rank_, rank)), ++peer.sent, stream);
  }
  std::vector<bool> from(peers_.size());
  for (const Receive& receive : receives) from[static_cast<std::size_t>(receive.from)] = true;
  for (int rank = 0; rank < size_; ++rank) {
    if (!from[static_cast<std::size_t>(rank)]) continue;
    driver_->wait(words_->there(come_word(rank, rank_)), ++peers_[static_cast<std::size_t>(rank)].received, stream);
  }
}

void PeerMemory::copy(const Send& send, const Peer& peer, void* stream) {
  const Rows from(send.tensor);
  const Rows to(send.at);
  if (from.width == 0) return;
  const std::ptrdiff_t offset = static_cast<const std::byte*>(send.at.const_data_ptr()) - own_->data();
  driver_->copy({.to = peer.memory->data() + offset,
                 .to_pitch = to.pitch,
                 .from = send.tensor.const_data_ptr(),
                 .from_pitch = from.pitch,
                 .width = from.width,
                 .rows = from.count},
                stream);
}

void PeerMemory::let_go() noexcept {
  // Further on than any count that is waited for, by less than half of the numbers.
  constexpr std::uint32_t kBeyond = std::uint32_t{1} << 30;
  let_go_ = true;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    const Peer& peer = peers_[static_cast<std::size_t>(rank)];
    word(round_word(rank)) = round_ + kBeyond;
    word(come_word(rank, rank_)) = peer.received + kBeyond;
  }
}

}  // namespace reelfarm::parallel
