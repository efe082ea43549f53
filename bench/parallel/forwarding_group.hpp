#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parallel/process_group.hpp"

namespace reelfarm::bench {

/// A group that does everything by another one, but for what is derived from it.
class ForwardingGroup : public parallel::ProcessGroup {
 public:
  /// `group` must outlive it.
  explicit ForwardingGroup(parallel::ProcessGroup& group) : ProcessGroup(group.patience()), group_(group) {}
  explicit ForwardingGroup(std::unique_ptr<parallel::ProcessGroup> owned)
      : ProcessGroup(owned->patience()), owned_(std::move(owned)), group_(*owned_) {}

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void broadcast(std::span<std::byte> bytes, int root) override { group_.broadcast(bytes, root); }
  void barrier() override { group_.barrier(); }
  void abort(const std::string& why) override { group_.abort(why); }
  void settle() override { group_.settle(); }
  std::vector<at::Tensor> symmetric_empty(const std::vector<std::int64_t>& counts,
                                          const at::TensorOptions& options) override {
    return group_.symmetric_empty(counts, options);
  }
  std::string no_peer_writes(c10::Device device) override { return group_.no_peer_writes(device); }

 protected:
  parallel::ProcessGroup& group() { return group_; }
  std::unique_ptr<parallel::Transfer> exchange_rows(std::vector<parallel::Send> sends,
                                                    std::vector<parallel::Receive> receives,
                                                    const char* operation) override {
    return post(std::move(sends), std::move(receives), operation);
  }
  std::unique_ptr<parallel::Transfer> post(std::vector<parallel::Send> sends, std::vector<parallel::Receive> receives,
                                           const char* operation) override {
    return group_.exchange(std::move(sends), std::move(receives), operation);
  }

 private:
  std::unique_ptr<parallel::ProcessGroup> owned_;
  parallel::ProcessGroup& group_;
};

}  // namespace reelfarm::bench
