#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/parallel/forwarding_group.hpp"

namespace reelfarm::bench {

/// A group whose ranks do not reach each other's memory, whatever the machine could: on GPUs all goes over NCCL.
class RemoteGroup final : public ForwardingGroup {
 public:
  using ForwardingGroup::ForwardingGroup;
  std::unique_ptr<ProcessGroup> split(int colour) override {
    return std::make_unique<RemoteGroup>(group().split(colour));
  }
  std::vector<at::Tensor> symmetric_empty(const std::vector<std::int64_t>& counts,
                                          const at::TensorOptions& options) override {
    return ProcessGroup::symmetric_empty(counts, options);
  }
  std::string no_peer_writes(c10::Device /*device*/) override { return "the ranks are to send"; }
};

}  // namespace reelfarm::bench
