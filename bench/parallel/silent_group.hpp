#pragma once

#include <memory>
#include <vector>

#include "parallel/process_group.hpp"

namespace reelfarm::bench {

/// A group whose exchanges bring nothing and take no time: what work takes with it is what all but them costs. Results
/// are of no use.
class SilentGroup final : public parallel::ProcessGroup {
 public:
  /// `group` must outlive it.
  explicit SilentGroup(parallel::ProcessGroup& group) : ProcessGroup(group.patience()), group_(group) {}
  explicit SilentGroup(std::unique_ptr<parallel::ProcessGroup> owned)
      : ProcessGroup(owned->patience()), owned_(std::move(owned)), group_(*owned_) {}

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void broadcast(std::span<std::byte> bytes, int root) override { group_.broadcast(bytes, root); }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<ProcessGroup> split(int colour) override {
    return std::make_unique<SilentGroup>(group_.split(colour));
  }
  void abort(const std::string& why) override { group_.abort(why); }

 private:
  std::unique_ptr<parallel::Transfer> post(std::vector<parallel::Send> /*sends*/,
                                           std::vector<parallel::Receive> /*receives*/,
                                           const char* /*operation*/) override {
    class Nothing final : public parallel::Transfer {
      void wait() override {}
      bool done() override { return true; }
    };
    return std::make_unique<Nothing>();
  }

  std::unique_ptr<parallel::ProcessGroup> owned_;
  parallel::ProcessGroup& group_;
};

}  // namespace reelfarm::bench
