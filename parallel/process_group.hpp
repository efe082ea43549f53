#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace reelfarm::parallel {

/// A tensor for another rank. Its rows, which dimension 0 counts, are contiguous; they may lie apart.
struct Send {
  at::Tensor tensor;
  int to = 0;
  /// Where it lands, if both ranks know: a part of this rank's ProcessGroup::symmetric_empty(), of the same size, whose
  /// like at the peer is what the peer's Receive names. Undefined: wherever the peer's Receive says.
  at::Tensor at = {};
};

/// A tensor, of rows as those of a Send, that another rank's Send of the same number of bytes fills.
struct Receive {
  at::Tensor tensor;
  int from = 0;
};

/// Messages on their way. They keep their tensors alive.
class Transfer {
 public:
  virtual ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Returns when all tensors have been received and those sent may be written again. Throws GroupError when a peer is
  /// lost, is later than the group's patience, or sent another number of bytes. For tensors on a GPU it returns at
  /// once: what the current stream is given from now on begins then, and errors come at the latest from
  /// ProcessGroup::settle().
  virtual void wait() = 0;

  /// Whether wait() would return at once. Throws as wait() does, but for patience.
  virtual bool done() = 0;

 protected:
  Transfer() = default;
};

/// The ranks that render one window together. Every member that is marked collective must be called by every rank of
/// the group, in the same order; one thread at a time. Waiting ranks sleep, they do not spin.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Collective. Root's bytes reach every rank's buffer; all buffers have the same size.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  /// Collective. Returns when every rank has come.
  virtual void barrier() = 0;

  /// Posts all messages at once and returns; the work done before wait() runs beside them. Between two ranks, messages
  /// match in the order of posting. `operation` names the exchange in errors. Throws std::invalid_argument for a peer
  /// that is no other rank of the group, or a tensor whose rows are not contiguous. Tensors that are sent must not be
  /// written to before wait() has returned.
  std::unique_ptr<Transfer> exchange(std::vector<Send> sends, std::vector<Receive> receives, const char* operation);

  /// Collective. Why the ranks do not write in each other's memory on that device, but send what is copied; empty where
  /// they do.
  virtual std::string no_peer_writes(c10::Device /*device*/) { return "ranks of this group send messages"; }
  bool writes_peers(c10::Device device) { return no_peer_writes(device).empty(); }
  /// Collective. Tensors of counts[0], counts[1] ... elements, with undefined contents, for what peers send: the same
  /// counts and options on every rank. With writes_peers() this is memory that peers write (symmetric memory in the
  /// sense of OpenSHMEM), and valid until the next call.
  virtual std::vector<at::Tensor> symmetric_empty(const std::vector<std::int64_t>& counts,
                                                  const at::TensorOptions& options);

  /// Returns when whatever this group and the groups split from it have exchanged has come. Throws GroupError as
  /// Transfer::wait() does. To be called before what came from a GPU's peers is used on the host.
  virtual void settle() {}

  /// Collective. The ranks that give the same colour, in their order here. Patience is inherited.
  virtual std::unique_ptr<ProcessGroup> split(int colour) = 0;

  /// Ends the group, because this rank cannot go on while others wait for it: their waits end with an error that holds
  /// `why`. Under MPI this ends the processes of the world, this one included.
  virtual void abort(const std::string& why) = 0;

  /// Collective. Root's text reaches every rank, whatever its length.
  std::string broadcast_text(std::string text, int root);

  /// Collective. Root's tensor, of any shape and type, reaches every rank, on `device`; root gets its own back. What
  /// others give is not looked at.
  at::Tensor broadcast_tensor(const at::Tensor& tensor, int root, c10::Device device);

  /// Collective. Block i of `input` goes to rank i, block j of the result is from rank j. Blocks are equal parts of
  /// dimension 0, of the same size on all ranks; the result has the shape and type of the input.
  at::Tensor all_to_all(const at::Tensor& input);

  /// Collective. (size, shape of input): what every rank gave, in the order of ranks. Shapes and types are the same on
  /// all ranks.
  at::Tensor all_gather(const at::Tensor& input);

  /// What this rank works on, for errors: "step 2". Sub-groups do not inherit it.
  virtual void set_step(std::string step) { step_ = std::move(step); }

  /// The longest that a wait of this rank takes before it ends with an error.
  std::chrono::milliseconds patience() const { return patience_; }
  virtual void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }

 protected:
  explicit ProcessGroup(std::chrono::milliseconds patience) : patience_(patience) {}
  /// exchange(), when peers and rows have been looked at. Copies rows that lie apart, and posts them.
  virtual std::unique_ptr<Transfer> exchange_rows(std::vector<Send> sends, std::vector<Receive> receives,
                                                  const char* operation);
  /// Of contiguous tensors.
  virtual std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                         const char* operation) = 0;
  /// Collective. Root's contiguous tensor fills that of every other rank.
  void send_to_all(const at::Tensor& tensor, int root, const char* operation);
  /// "rank 1 of 4: all_to_all (step 2)"
  std::string place(const char* operation) const;

 private:
  std::string step_;
  std::chrono::milliseconds patience_;
};

/// A group of one rank: nothing to exchange.
class SingleProcessGroup final : public ProcessGroup {
 public:
  SingleProcessGroup() : ProcessGroup(std::chrono::milliseconds::zero()) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void broadcast(std::span<std::byte> bytes, int root) override;
  void barrier() override {}
  std::unique_ptr<ProcessGroup> split(int colour) override;
  [[noreturn]] void abort(const std::string& why) override;

 private:
  std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                 const char* operation) override;
};

}  // namespace reelfarm::parallel
