#pragma once

#include <stdexcept>

namespace reelfarm::vae {

/// A config, tile plan or tensor that the VAE cannot work with. The message names the value and what was expected.
struct VaeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace reelfarm::vae
