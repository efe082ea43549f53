#include "queue/host_name.hpp"

#include <unistd.h>

namespace reelfarm::queue {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "host";
}

}  // namespace reelfarm::queue
