#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace reelfarm::parallel {

/// The ranks that render one window together. Every member that is marked collective must be called by every rank of
/// the group, in the same order.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Collective. Root's bytes reach every rank's buffer; all buffers have the same size.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  /// Collective. Returns when every rank has come. Waiting ranks sleep, they do not spin.
  virtual void barrier() = 0;

  /// Collective. Root's text reaches every rank, whatever its length.
  std::string broadcast_text(std::string text, int root);

 protected:
  ProcessGroup() = default;
};

/// A group of one rank: nothing to exchange.
class SingleProcessGroup final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void broadcast(std::span<std::byte> bytes, int root) override;
  void barrier() override {}
};

}  // namespace reelfarm::parallel
