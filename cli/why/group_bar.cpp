#include "cli/why/group_bar.hpp"

namespace reelfarm::cli {

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
    case GroupBar::starting:
      return "starting";
    case GroupBar::draining:
      return "draining";
    case GroupBar::note:
      return "note";
    case GroupBar::busy:
      return "busy";
  }
  return "unknown";
}

GroupBar bar_of(const queue::GroupRecord& group, const queue::JobRecord& job) {
  if (group.state == queue::GroupState::gone) return GroupBar::gone;
  if (group.state == queue::GroupState::failed) return GroupBar::failed;
  if (group.bundle_hash != job.spec.bundle_hash) return GroupBar::other_bundle;
  // As queue/lua/prelude.lua has it: the fingerprint decides once there is one, else the dtype that was asked for.
  if (!job.fingerprint.empty() && !job.allow_mix) {
    if (group.fingerprint != job.fingerprint) return GroupBar::other_fingerprint;
  } else if (const std::string dtype = job.spec.required_dtype(); !dtype.empty() && group.dtype != dtype) {
    return GroupBar::other_dtype;
  }
  if (group.state == queue::GroupState::starting) return GroupBar::starting;
  if (group.state == queue::GroupState::draining || group.drain_requested) return GroupBar::draining;
  if (!group.note.empty()) return GroupBar::note;
  return group.tasks.empty() ? GroupBar::none : GroupBar::busy;
}

}  // namespace reelfarm::cli
