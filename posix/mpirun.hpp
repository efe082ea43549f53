#pragma once

#include <string>

namespace reelfarm::posix {

/// Open MPI's launcher with the options that ranks of a farm need wherever they run, as words with spaces between;
/// '-n RANKS PROGRAM ...' follows.
std::string mpirun_words();

}  // namespace reelfarm::posix
