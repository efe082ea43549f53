#pragma once

#include <functional>
#include <string>

namespace reelfarm::render {

/// The variable that says which GPUs a process sees; CUDA reads it once.
inline constexpr const char* kVisibleGpus = "CUDA_VISIBLE_DEVICES";

/// Which GPU the user at `place` takes, as a value for CUDA_VISIBLE_DEVICES: of those that are visible now (that
/// variable's value; empty: all of the machine's) the one at `place`, counted round where there are fewer. Empty when
/// there is none. `exists` says whether a GPU of this name is there.
std::string gpu_at(int place, const std::string& visible, const std::function<bool(const std::string& gpu)>& exists);

/// Whether CUDA finds a device when only this one is visible. Asks in a child process, since CUDA reads the variable
/// once in the life of a process; to be called before this process has threads.
bool gpu_exists(const std::string& gpu);

/// Makes this process see the GPU at its place among those of its machine, and no other: ranks and groups of one
/// machine take one each, as far as there are enough. For --device auto and cuda; before CUDA is first asked and before
/// this process has threads. `first_place`: of the group's first rank; `local_rank`: what the launcher says of this
/// rank's place on the machine, null for none; `visible`: the value of kVisibleGpus, null where it is not set.
void take_own_gpu(const std::string& device, int first_place, const char* local_rank, const char* visible);

}  // namespace reelfarm::render
