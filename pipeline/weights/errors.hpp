#pragma once

#include <stdexcept>

namespace reelfarm::weights {

/// A weight file or a bundle that cannot be used as it is. The message names the file and, where there is one, the
/// tensor or the key, with the expected and the found value.
struct WeightError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace reelfarm::weights
