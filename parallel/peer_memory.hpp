#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "parallel/device_queue.hpp"
#include "parallel/peer_driver.hpp"
#include "parallel/process_group.hpp"
#include "parallel/shared_words.hpp"

namespace reelfarm::parallel {

/// Device memory of this rank's own.
class OwnMemory {
 public:
  OwnMemory(std::shared_ptr<PeerDriver> driver, std::size_t bytes)
      : driver_(std::move(driver)), memory_(driver_->allocate(bytes)), bytes_(bytes) {}
  ~OwnMemory() { driver_->release(memory_); }
  OwnMemory(const OwnMemory&) = delete;
  OwnMemory& operator=(const OwnMemory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<PeerDriver> driver_;
  void* memory_;
  std::size_t bytes_;
};

/// Device memory of another rank, as this one reaches it.
class OpenedMemory {
 public:
  OpenedMemory(std::shared_ptr<PeerDriver> driver, const PeerHandle& handle)
      : driver_(std::move(driver)), memory_(driver_->open(handle)) {}
  ~OpenedMemory() { driver_->close(memory_); }
  OpenedMemory(const OpenedMemory&) = delete;
  OpenedMemory& operator=(const OpenedMemory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  std::shared_ptr<PeerDriver> driver_;
  void* memory_;
};

/// Shared words that streams write and wait for.
class EnlistedWords {
 public:
  EnlistedWords(std::shared_ptr<PeerDriver> driver, SharedWords words)
      : driver_(std::move(driver)), words_(std::move(words)), there_(driver_->enlist(words_.data(), words_.bytes())) {}
  ~EnlistedWords() { driver_->dismiss(words_.data()); }
  EnlistedWords(const EnlistedWords&) = delete;
  EnlistedWords& operator=(const EnlistedWords&) = delete;
  std::uint32_t* here(std::size_t index) const { return words_.data() + index; }
  void* there(std::size_t index) const { return static_cast<std::uint32_t*>(there_) + index; }
  void forget_name() noexcept { words_.forget(); }

 private:
  std::shared_ptr<PeerDriver> driver_;
  SharedWords words_;
  void* there_;
};

/// Memory of the ranks of a group on one machine that each writes in the others by its GPU's copy engines, which run
/// beside kernels however full these are (NCCL moves data with kernels of its own, which wait until there is room).
///
/// A rank's memory is used in rounds. When a round begins, its stream tells all peers so, by a word that they wait for
/// before they write; behind what it has written, a peer's stream sets another word, which this rank's waits for. Words
/// lie in the host's memory and count; no host waits. All of it follows the order of one stream a rank.
class PeerMemory {
 public:
  /// Collective over `control`, the ranks of the group. Throws on every rank when one cannot reach the others' memory:
  /// its own std::exception there, PeerFailed elsewhere.
  PeerMemory(ProcessGroup& control, const std::function<std::shared_ptr<PeerDriver>()>& driver);
  /// When nothing is under way. Waits until all ranks have come to this, for kLeaving at most, and not after let_go():
  /// memory must not be freed before the others have closed it.
  ~PeerMemory();
  PeerMemory(const PeerMemory&) = delete;
  PeerMemory& operator=(const PeerMemory&) = delete;

  static constexpr std::chrono::milliseconds kLeaving = std::chrono::seconds(10);

  /// Collective, when nothing is under way. Afterwards a round can have so many bytes. Throws as the constructor.
  void grow(ProcessGroup& control, std::size_t bytes);
  std::size_t bytes() const { return own_ ? own_->bytes() : 0; }

  /// The memory, for what comes until the next round. What the current stream was given before is done with the last
  /// one's.
  std::byte* begin_round(DeviceQueue& queue);

  /// Whether all that the exchange writes, here and there, lies in this memory. Throws std::invalid_argument when a
  /// Send does not fit where it is to land.
  bool holds(const std::vector<Send>& sends, const std::vector<Receive>& receives) const;

  /// Queues the messages. Between two ranks they match in the order of exchanges.
  void exchange(const std::vector<Send>& sends, const std::vector<Receive>& receives, void* stream);

  /// Ends this device's waits, for ever: what comes is of no use. To be repeated while peers may live, whose devices
  /// write the same words. Any thread.
  void let_go() noexcept;

 private:
  bool holds(const at::Tensor& tensor) const;
  // Of words: which round a rank has begun; whether it has closed its peers' memory for good; how many exchanges of
  // `from` have come to `to`.
  std::size_t round_word(int rank) const { return static_cast<std::size_t>(rank); }
  std::size_t left_word(int rank) const { return peers_.size() + static_cast<std::size_t>(rank); }
  std::size_t come_word(int from, int to) const {
    return (2 + static_cast<std::size_t>(from)) * peers_.size() + static_cast<std::size_t>(to);
  }
  std::atomic_ref<std::uint32_t> word(std::size_t index) const { return std::atomic_ref(*words_->here(index)); }

  void close_peers() noexcept;

  struct Peer {
    std::unique_ptr<OpenedMemory> memory = {};
    std::uint32_t round = 0;                  // of its rounds, the last that this rank's stream has waited for
    std::uint32_t sent = 0;                   // exchanges
    std::atomic<std::uint32_t> received = 0;  // exchanges
  };

  void copy(const Send& send, const Peer& peer, void* stream);

  std::shared_ptr<PeerDriver> driver_;
  int rank_;
  int size_;
  std::unique_ptr<EnlistedWords> words_;
  std::atomic<std::uint32_t> round_ = 0;
  std::unique_ptr<OwnMemory> own_;
  std::vector<Peer> peers_;  // by rank; this rank's own is not used
  std::atomic<bool> let_go_ = false;
};

}  // namespace reelfarm::parallel
