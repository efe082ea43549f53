#pragma once

#include <functional>

#include "parallel/errors.hpp"
#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// Another rank could not do what all were to do, and says itself why.
class PeerFailed : public GroupError {
 public:
  using GroupError::GroupError;
};

/// Collective. Runs `act`, which exchanges nothing, on every rank and returns when all have done it. When it throws
/// std::exception on some, the lowest of these ranks throws its own on, and every other rank throws PeerFailed with
/// that rank and its words: one error is told once, and no rank waits for one that has given up.
void all_or_none(ProcessGroup& group, const std::function<void()>& act);

}  // namespace reelfarm::parallel
