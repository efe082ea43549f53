#pragma once

#include <string>
#include <vector>

#include "coordinator/submission/sibling.hpp"

namespace reelfarm::cli {

using coordinator::find_sibling;
using coordinator::program_folder;
using coordinator::run_sibling;

/// Becomes the program. Returns only by throwing BadInput.
[[noreturn]] void become_sibling(const std::string& name, const std::vector<std::string>& words);

}  // namespace reelfarm::cli
