#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/errors.hpp"
#include "queue/bundle_limits.hpp"
#include "queue/job.hpp"

namespace reelfarm::coordinator {

/// What the farm knows of bundles when a job is judged.
struct KnownBundles {
  std::vector<queue::BundleLimits> registered;        ///< last registered first
  std::map<std::string, std::set<std::string>> live;  ///< bundle hash -> dtypes, of the groups that are there now
};

/// Throws Rejected for what is wrong whatever the bundle: prompt, name, priority, numbers, output template.
void check_request(const queue::JobSpec& spec);

/// The bundle the job means: by name, or the only one. Throws Rejected (unknown name, several to choose from) and
/// NoBundleYet.
const queue::BundleLimits& choose_bundle(const queue::JobSpec& spec, const KnownBundles& bundles);

/// Why a job of this bundle and dtype waits although nothing is wrong with it: no group that is there now may claim it.
std::optional<std::string> lacking_group(const queue::JobSpec& spec, const queue::BundleLimits& limits,
                                         const KnownBundles& bundles);

struct CompletedJob {
  queue::JobSpec spec;  ///< every field set
  std::vector<std::string> warnings;
};

/// Fills in what the user left open from the bundle and checks the job against the bundle's limits and the window
/// grid. Throws Rejected; windows::InvalidRequest is turned into it.
CompletedJob complete(const queue::JobSpec& asked, const queue::BundleLimits& limits);

}  // namespace reelfarm::coordinator
