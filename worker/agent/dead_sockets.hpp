#pragma once

#include <filesystem>

namespace reelfarm::worker {

/// Removes the sockets of agents that were killed: files reelfarm-*.sock in `folder`, older than a minute, to which
/// nobody listens. Others' files, and errors, are passed by.
void remove_dead_sockets(const std::filesystem::path& folder);

}  // namespace reelfarm::worker
