#pragma once

#include "parallel/process_group.hpp"

namespace reelfarm::parallel::testing {

// What every implementation promises, as checks that all ranks of a group run together.

void check_all_to_all(ProcessGroup& group, c10::Device device);
void check_all_gather(ProcessGroup& group, c10::Device device);
void check_broadcast(ProcessGroup& group);
void check_broadcast_tensor(ProcessGroup& group, c10::Device device);
/// Two exchanges in flight, waited for in the other order.
void check_exchanges_match_in_the_order_of_posting(ProcessGroup& group, c10::Device device);
/// Rows that lie apart, into memory that all ranks have alike, round after round and in growing sizes.
void check_symmetric_memory(ProcessGroup& group, c10::Device device);
void check_split(ProcessGroup& group, c10::Device device);
void check_peers_are_checked(ProcessGroup& group, c10::Device device);

/// All of them, with tensors on the device.
void check_every_promise(ProcessGroup& group, c10::Device device = c10::kCPU);

}  // namespace reelfarm::parallel::testing
