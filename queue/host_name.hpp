#pragma once

#include <string>

namespace reelfarm::queue {

/// This machine's name, as gethostname(2) gives it: what a farm's records call it, and under which others reach it.
std::string host_name();

}  // namespace reelfarm::queue
