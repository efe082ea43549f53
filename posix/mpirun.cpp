#include "posix/mpirun.hpp"

#include <unistd.h>

namespace reelfarm::posix {

std::string mpirun_words() {
  // mpirun binds two ranks or fewer to one core each, which would leave a rank's threads one core; and refuses root.
  std::string words = "mpirun --bind-to none --oversubscribe";
  if (::geteuid() == 0) words += " --allow-run-as-root";
  return words;
}

}  // namespace reelfarm::posix
