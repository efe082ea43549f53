#pragma once

#include "parallel/process_group.hpp"

namespace reelfarm::parallel::testing {

// What every implementation promises, as checks that all ranks of a group run together.

void check_all_to_all(ProcessGroup& group);
void check_all_gather(ProcessGroup& group);
void check_broadcast(ProcessGroup& group);
void check_broadcast_tensor(ProcessGroup& group);
/// Two exchanges in flight, waited for in the other order.
void check_exchanges_match_in_the_order_of_posting(ProcessGroup& group);
void check_split(ProcessGroup& group);
void check_peers_are_checked(ProcessGroup& group);

/// All of them.
void check_every_promise(ProcessGroup& group);

}  // namespace reelfarm::parallel::testing
