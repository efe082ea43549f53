#pragma once

#include <stdexcept>

namespace reelfarm::dit {

/// A transformer's config.json that cannot be used. The message names the file, the key, the found and expected value.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace reelfarm::dit
