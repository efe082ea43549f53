#pragma once

#include <filesystem>
#include <stdexcept>

#include "queue/bundle_limits.hpp"

namespace reelfarm::worker {

/// The bundle cannot be used; the text is what `reelfarm-bundle` said.
class BundleRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Runs `program inspect --json bundle` and reads what it prints. Throws BundleRefused when it exits with another code
/// than 0 or prints something else, std::system_error when it cannot be run.
queue::BundleLimits inspect_bundle(const std::filesystem::path& program, const std::filesystem::path& bundle);

}  // namespace reelfarm::worker
