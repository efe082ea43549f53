#pragma once

#include <chrono>
#include <functional>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// Runs body(group) on `size` threads of this process, each with its rank of one group, and returns when all have come
/// back. For tests, and for one process with several GPUs: messages are copies, all groups share one lock. When a body
/// throws, the waits of the others end with GroupError, and the first exception is rethrown. No wait takes longer than
/// `patience`.
void run_thread_ranks(int size, const std::function<void(ProcessGroup& group)>& body,
                      std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace reelfarm::parallel
