#pragma once

#include <string>
#include <vector>

namespace reelfarm::weights::detail {

/// The model that a set of names looks like when it is none of ours: "Wan", "LTX-Video", "FLUX", ..., "a LoRA"; empty
/// when it looks like none. Wrappers are taken off the names before.
std::string looks_like(const std::vector<std::string>& names);

}  // namespace reelfarm::weights::detail
