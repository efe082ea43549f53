#pragma once

#include <vector>

#include "pipeline/dit/shared_forward.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/render/networks.hpp"
#include "pipeline/render/rank_groups.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// A rank other than 0: does its part of what the Renderer of rank 0 is asked for.
class Follower {
 public:
  /// Collective, with the Renderer of rank 0. `groups` must outlive it. Throws weights::WeightError, and
  /// parallel::PeerFailed when another rank could not load.
  Follower(const weights::Bundle& bundle, const nn::Placement& placement, const RankGroups& groups,
           const Residency& residency = {});

  /// Returns once the Renderer of rank 0 is gone. An error ends all ranks (ProcessGroup::abort) and is thrown.
  void run() const;

 private:
  const RankGroups& groups_;
  Networks networks_;
  std::vector<dit::SharedTransformer> transformers_;
};

}  // namespace reelfarm::render
