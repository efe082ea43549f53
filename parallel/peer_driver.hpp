#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace reelfarm::parallel {

/// A call of the CUDA driver failed. The text holds the call and the driver's words.
class PeerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// CUipcMemHandle: names device memory to other processes of the machine.
using PeerHandle = std::array<char, 64>;

/// `rows` pieces of `width` bytes, of which each begins `pitch` bytes behind the one before.
struct RowsCopy {
  void* to;
  std::size_t to_pitch;
  const void* from;
  std::size_t from_pitch;
  std::size_t width;
  std::size_t rows;
};

/// What ranks need of the CUDA driver in order to reach each other's memory, as an interface, so that tests can play
/// it. All is for the calling thread's current device; `stream`: a CUstream of it. Throws PeerError, but for what
/// frees.
class PeerDriver {
 public:
  virtual ~PeerDriver() = default;
  PeerDriver(const PeerDriver&) = delete;
  PeerDriver& operator=(const PeerDriver&) = delete;

  /// Device memory that others can open (cuMemAlloc), and its name (cuIpcGetMemHandle).
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  virtual PeerHandle handle_of(void* memory) = 0;
  /// Another process's memory, where this one's device reaches it (cuIpcOpenMemHandle).
  virtual void* open(const PeerHandle& handle) = 0;
  virtual void close(void* memory) noexcept = 0;

  /// Host memory for streams to write and to wait for (cuMemHostRegister): its address for them.
  virtual void* enlist(void* host, std::size_t bytes) = 0;
  virtual void dismiss(void* host) noexcept = 0;

  /// By a copy engine, which needs none of the multiprocessors (cuMemcpy2DAsync).
  virtual void copy(const RowsCopy& rows, void* stream) = 0;
  /// The stream sets the word when all before it is done and seen by everyone (cuStreamWriteValue32).
  virtual void write(void* word, std::uint32_t value, void* stream) = 0;
  /// The stream goes on once the word is `value` or at most 2^31 - 1 beyond it (cuStreamWaitValue32).
  virtual void wait(void* word, std::uint32_t value, void* stream) = 0;

  /// Returns when the device has done all it was given.
  virtual void synchronize() = 0;

 protected:
  PeerDriver() = default;
};

/// The driver libcuda.so.1, which LibTorch's CUDA part has loaded by now. Throws PeerError when it cannot be opened or
/// lacks a call, and when this program was built without CUDA's header.
std::shared_ptr<PeerDriver> load_peer_driver();

}  // namespace reelfarm::parallel
