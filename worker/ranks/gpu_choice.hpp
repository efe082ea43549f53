#pragma once

#include <functional>
#include <string>

namespace reelfarm::worker {

/// Which GPU the user at `place` takes, as a value for CUDA_VISIBLE_DEVICES: of those that are visible now (that
/// variable's value; empty: all of the machine's) the one at `place`, counted round where there are fewer. Empty when
/// there is none. `exists` says whether a GPU of this name is there.
std::string gpu_at(int place, const std::string& visible, const std::function<bool(const std::string& gpu)>& exists);

/// Whether CUDA finds a device when only this one is visible. Asks in a child process, since CUDA reads the variable
/// once in the life of a process; to be called before this process has threads.
bool gpu_exists(const std::string& gpu);

}  // namespace reelfarm::worker
