#pragma once

#include <memory>
#include <utility>

#include "parallel/nccl_api.hpp"

namespace reelfarm::parallel {

/// One communicator of NCCL; this rank's end of it.
class NcclCommunicator {
 public:
  /// Begins to set it up on the current device: usable once NcclApi::state() says ready. Throws NcclError.
  NcclCommunicator(std::shared_ptr<NcclApi> api, int size, const NcclId& id, int rank)
      : api_(std::move(api)), handle_(api_->begin_init(size, id, rank)) {}
  ~NcclCommunicator() {
    if (handle_ != nullptr) api_->destroy(handle_);
  }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  /// Null once it was aborted.
  NcclHandle handle() const { return handle_; }

  void abort() noexcept {
    if (handle_ != nullptr) api_->abort(std::exchange(handle_, nullptr));
  }

 private:
  std::shared_ptr<NcclApi> api_;
  NcclHandle handle_;
};

}  // namespace reelfarm::parallel
