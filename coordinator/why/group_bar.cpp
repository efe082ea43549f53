#include "coordinator/why/group_bar.hpp"

#include <algorithm>

namespace reelfarm::why {
namespace {

/// All but the blocklist.
GroupBar bar_of(const queue::GroupRecord& group, const queue::JobRecord& job) {
  if (group.state == queue::GroupState::gone) return GroupBar::gone;
  if (group.state == queue::GroupState::failed) return GroupBar::failed;
  if (group.bundle_hash != job.spec.bundle_hash) return GroupBar::other_bundle;
  // As queue/lua/prelude/ready.lua has it: the fingerprint decides once there is one, else the dtype that was asked
  // for.
  if (!job.fingerprint.empty() && !job.allow_mix) {
    if (group.fingerprint != job.fingerprint) return GroupBar::other_fingerprint;
  } else if (const std::string dtype = job.spec.required_dtype(); !dtype.empty() && group.dtype != dtype) {
    return GroupBar::other_dtype;
  }
  if (group.state == queue::GroupState::draining || group.drain_requested) return GroupBar::draining;
  if (group.state == queue::GroupState::starting) return GroupBar::starting;
  if (!group.note.empty()) return GroupBar::note;
  return group.tasks.empty() ? GroupBar::none : GroupBar::busy;
}

/// The order of GroupBar says it: what stands behind blocklisted passes.
bool may_claim(GroupBar bar) {
  return bar == GroupBar::none || bar > GroupBar::blocklisted;
}

}  // namespace

std::string_view to_string(GroupBar bar) {
  switch (bar) {
    case GroupBar::none:
      return "none";
    case GroupBar::gone:
      return "gone";
    case GroupBar::failed:
      return "failed";
    case GroupBar::other_bundle:
      return "other_bundle";
    case GroupBar::other_fingerprint:
      return "other_fingerprint";
    case GroupBar::other_dtype:
      return "other_dtype";
    case GroupBar::draining:
      return "draining";
    case GroupBar::blocklisted:
      return "blocklisted";
    case GroupBar::starting:
      return "starting";
    case GroupBar::note:
      return "note";
    case GroupBar::busy:
      return "busy";
  }
  return "unknown";
}

std::vector<GroupBar> bars_of(const std::vector<queue::GroupRecord>& groups, const queue::JobRecord& job,
                              const std::vector<queue::HostCrashes>& host_crashes) {
  const auto is_listed = [&](const std::string& host) {
    return std::any_of(host_crashes.begin(), host_crashes.end(),
                       [&](const queue::HostCrashes& crashes) { return crashes.host == host && crashes.blocklisted; });
  };
  std::vector<GroupBar> bars;
  bool other_host_left = false;
  for (const queue::GroupRecord& group : groups) {
    bars.push_back(bar_of(group, job));
    other_host_left = other_host_left || (may_claim(bars.back()) && !is_listed(group.host));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (other_host_left && may_claim(bars[i]) && is_listed(groups[i].host)) bars[i] = GroupBar::blocklisted;
  }
  return bars;
}

}  // namespace reelfarm::why
