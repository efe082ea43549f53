#pragma once

#include "coordinator/text.hpp"

namespace reelfarm::cli {

using coordinator::bytes_text;
using coordinator::duration_text;
using coordinator::one_line;
using coordinator::time_text;

}  // namespace reelfarm::cli
