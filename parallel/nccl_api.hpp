#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace reelfarm::parallel {

/// ncclUniqueId: what the ranks of a communicator must have in common (NCCL_UNIQUE_ID_BYTES).
using NcclId = std::array<char, 128>;

/// ncclComm_t.
using NcclHandle = void*;

/// Whether what was last asked of a non-blocking communicator has been begun on its stream.
enum class NcclState { ready, in_progress };

/// A call of NCCL failed, or a communicator reports an error of its own. The text holds the call and NCCL's words.
class NcclError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The calls of NCCL that a group makes, as an interface, so that tests can script what goes wrong. Communicators are
/// non-blocking (ncclConfig_t::blocking = 0): no call waits for another rank, state() says when one has gone through.
/// One thread at a time for one communicator. All but abort() and destroy() throw NcclError.
class NcclApi {
 public:
  virtual ~NcclApi() = default;
  NcclApi(const NcclApi&) = delete;
  NcclApi& operator=(const NcclApi&) = delete;

  /// ncclGetVersion: 22807 for 2.28.7.
  virtual int version() = 0;

  virtual NcclId unique_id() = 0;
  /// ncclCommInitRankConfig on the current device. To be asked for its state() until that is ready.
  virtual NcclHandle begin_init(int size, const NcclId& id, int rank) = 0;

  virtual void group_start() = 0;
  virtual void group_end() = 0;
  /// Between group_start() and group_end(). `stream`: a cudaStream_t of the communicator's device.
  virtual void send(const void* bytes, std::size_t count, int to, NcclHandle communicator, void* stream) = 0;
  virtual void receive(void* bytes, std::size_t count, int from, NcclHandle communicator, void* stream) = 0;

  /// ncclCommGetAsyncError. Throws NcclError when the communicator is broken: a peer is lost, or a call failed.
  virtual NcclState state(NcclHandle communicator) = 0;
  /// Ends what the communicator does on the device, and frees it; waits for no other rank.
  virtual void abort(NcclHandle communicator) noexcept = 0;
  /// Frees a communicator on which nothing is under way; its other ranks do the same now.
  virtual void destroy(NcclHandle communicator) noexcept = 0;

 protected:
  NcclApi() = default;
};

/// The library libnccl.so.2, which LibTorch's CUDA part brings along and which must be loaded by now. Throws NcclError
/// with the dynamic loader's words when it cannot be opened or lacks a call, and when this program was built without
/// NCCL's header.
std::shared_ptr<NcclApi> load_nccl();

}  // namespace reelfarm::parallel
