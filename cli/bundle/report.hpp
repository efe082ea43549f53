#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/weights/bundle.hpp"
#include "pipeline/weights/verify.hpp"

namespace reelfarm::bundle {

/// What the farm checks a job against: the text form of queue/bundle_limits.hpp.
nlohmann::json limits_json(const weights::BundleManifest& manifest, const std::string& hash);

/// For people: family, defaults, and a table of parts with parameters, types and sizes. Opens every part's weights.
std::string description(const weights::Bundle& bundle, const std::string& hash);

/// {"ok", "tensors", "bytes", "problems"}
nlohmann::json verification_json(const weights::Verification& verification);

}  // namespace reelfarm::bundle
