#pragma once

#include <chrono>
#include <exception>
#include <span>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// The rank whose orders the others of its group follow.
inline constexpr int kLeader = 0;

/// While it lives, this rank waits without a limit: for the next order, which may be days away.
class WaitForOrder {
 public:
  explicit WaitForOrder(ProcessGroup& group) : group_(group), patience_(group.patience()) {
    group_.set_patience(std::chrono::hours(24 * 365));
  }
  ~WaitForOrder() { group_.set_patience(patience_); }
  WaitForOrder(const WaitForOrder&) = delete;
  WaitForOrder& operator=(const WaitForOrder&) = delete;

 private:
  ProcessGroup& group_;
  std::chrono::milliseconds patience_;
};

/// Collective. The leader's order reaches all ranks; what others give is not looked at. `step` is what a rank works on
/// meanwhile, for errors: "waiting for a decode". Order: a type that can be copied by its bytes.
template <typename Order>
Order broadcast_order(ProcessGroup& group, Order order, const char* step) {
  const WaitForOrder wait(group);
  group.set_step(step);
  group.broadcast(std::as_writable_bytes(std::span(&order, 1)), kLeader);
  return order;
}

/// Lets the followers go, from a destructor: an order that cannot reach a lost rank is no error.
template <typename Order>
void broadcast_last_order(ProcessGroup& group, Order order, const char* step) noexcept {
  try {
    broadcast_order(group, order, step);
  } catch (const std::exception&) {
    // Whoever is lost needs not be let go.
  }
}

/// Calls act(). Others wait for this rank: a std::exception of its own work ends the group, and is thrown on.
template <typename Act>
auto or_abort(ProcessGroup& group, const Act& act) {
  try {
    return act();
  } catch (const std::exception& error) {
    group.abort(error.what());
    throw;
  }
}

}  // namespace reelfarm::parallel
