#pragma once

#include <sys/types.h>

namespace reelfarm::posix {

/// For a child between fork and exec: no signal blocked or ignored, whatever this program did to its own. Where
/// `death_signal` is not 0 the kernel sends it when the thread that forked dies, and the child ends at once if `parent`
/// has died already. Only async-signal-safe calls.
void prepare_forked_child(pid_t parent, int death_signal);

}  // namespace reelfarm::posix
