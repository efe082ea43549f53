#pragma once

#include <exception>
#include <functional>

#include "parallel/process_group.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace reelfarm::vae {

struct DecodeJob;

/// Rank 0 of a group that decodes clips together: the tiles are shared, the frames come out here, with the bits of
/// CausalVae::decode. The other ranks are in follow_decodes() with the same weights. All must outlive it.
class DecodeLeader {
 public:
  DecodeLeader(const CausalVae& vae, parallel::ProcessGroup& group) : vae_(vae), group_(group) {}
  /// Lets the followers go.
  ~DecodeLeader();
  DecodeLeader(const DecodeLeader&) = delete;
  DecodeLeader& operator=(const DecodeLeader&) = delete;

  /// As CausalVae::decode; progress counts the blocks of this rank. What `on_frames` or `on_progress` throws stops the
  /// decode of all ranks at the end of their current tiles, and is rethrown then. An error of this rank's own work ends
  /// the group.
  void decode(const at::Tensor& latents, const DecodeOptions& options,
              const std::function<void(FrameChunk)>& on_frames) const;

 private:
  /// The collective part. Returns what the caller's functions threw.
  std::exception_ptr lead(const DecodeJob& job, const DecodeOptions& options,
                          const std::function<void(FrameChunk)>& on_frames) const;

  const CausalVae& vae_;
  parallel::ProcessGroup& group_;
};

/// What ranks other than 0 do: takes part in every decode until the leader is gone. Throws parallel::GroupError when it
/// is lost.
void follow_decodes(const CausalVae& vae, parallel::ProcessGroup& group);

}  // namespace reelfarm::vae
