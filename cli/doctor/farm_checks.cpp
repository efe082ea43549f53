#include <algorithm>
#include <cmath>
#include <map>

#include "cli/doctor/checks.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

using queue::GroupState;

double seconds_between(queue::ServerTime from, queue::ServerTime to) {
  return std::chrono::duration<double>(to - from).count();
}

Finding check_clock(const FarmRecords& records) {
  constexpr double kTolerance_s = 5;
  const double ahead = seconds_between(records.server_now, records.local_now);
  const std::string text =
      "this machine is " + duration_text(std::abs(ahead)) + (ahead < 0 ? " behind" : " ahead of") + " the Redis server";
  if (std::abs(ahead) <= kTolerance_s) return {Health::ok, "clock", text};
  return {Health::note, "clock", text,
          "the farm goes by the server's clock and is not harmed; times in messages look wrong (use NTP)"};
}

void check_hosts(const FarmRecords& records, std::vector<Finding>& findings) {
  constexpr double kTolerance_s = 5;
  std::map<std::string, double> ahead;
  for (const queue::GroupRecord& group : records.groups) {
    if (group.state == GroupState::gone) continue;
    double& most = ahead[group.host];
    const double seconds = std::chrono::duration<double>(group.clock_ahead).count();
    if (std::abs(seconds) > std::abs(most)) most = seconds;
  }
  for (const auto& [host, seconds] : ahead) {
    if (std::abs(seconds) <= kTolerance_s) continue;
    findings.push_back(
        {Health::note, "clock of " + host,
         duration_text(std::abs(seconds)) + (seconds < 0 ? " behind" : " ahead of") + " the Redis server",
         "leases are not harmed; its log and its --hours are off by that (use NTP)"});
  }
}

void check_bundles(const FarmRecords& records, std::vector<Finding>& findings) {
  for (const queue::BundleLimits& bundle : records.bundles) {
    int groups = 0;
    for (const queue::GroupRecord& group : records.groups) {
      const bool there = group.state != GroupState::gone && group.state != GroupState::failed;
      groups += there && group.bundle_hash == bundle.hash ? 1 : 0;
    }
    const std::string name = bundle.name + " (" + bundle.hash.substr(0, 12) + ")";
    if (groups > 0) {
      findings.push_back(
          {Health::ok, "bundle", name + ": " + std::to_string(groups) + (groups == 1 ? " group" : " groups")});
    } else {
      findings.push_back({Health::note, "bundle", name + ": no group has it now",
                          "jobs that ask for it wait; start a group with it if there are some"});
    }
  }
}

Finding check_coordinator(const FarmRecords& records) {
  constexpr double kSilence_s = 15;  // it measures the disk every second
  const std::string hint = "start one: 'reelfarm up', or reelfarm-coordinator on a machine with DATA";
  if (!records.disk) return {Health::problem, "coordinator", "none has worked on this farm yet", hint};
  const double silent = seconds_between(records.disk->measured, records.server_now);
  const std::string text = "last sign of life " + duration_text(std::max(silent, 0.0)) + " ago";
  if (silent <= kSilence_s) return {Health::ok, "coordinator", text};
  return {Health::problem, "coordinator", text, hint};
}

Finding check_disk(const queue::DiskState& disk) {
  const std::string text = bytes_text(disk.free) + " free of " + bytes_text(disk.capacity);
  if (!disk.full) return {Health::ok, "disk", text};
  return {Health::problem, "disk", text + ", above the high-water mark: no window starts",
          "make room: 'reelfarm du', 'gc', 'rm'"};
}

void check_groups(const FarmRecords& records, std::vector<Finding>& findings) {
  int serving = 0;
  for (const queue::GroupRecord& group : records.groups) {
    const std::string name = group.id + " (host " + group.host + ")";
    if (group.state == GroupState::failed) {
      findings.push_back({Health::problem, "group", name + " has failed: " + group.note,
                          "see its log, mend what it names, start it again"});
    } else if (group.state == GroupState::gone) {
      findings.push_back({Health::note, "group", name + " is gone without a word", "start it again if it is missed"});
    } else if (group.state == GroupState::draining) {
      findings.push_back({Health::note, "group", name + " rests" + (group.note.empty() ? "" : ": " + group.note),
                          group.drain_requested ? "'reelfarm undrain' lets it take work again" : "its time will come"});
    } else if (!group.note.empty()) {
      findings.push_back({Health::problem, "group", name + " takes nothing: " + group.note, "mend what it names"});
    } else {
      ++serving;
    }
  }
  if (serving > 0) {
    findings.push_back(
        {Health::ok, "groups", std::to_string(serving) + (serving == 1 ? " group is" : " groups are") + " there"});
  } else {
    findings.push_back({Health::problem, "groups", "no worker group serves this farm",
                        "start one: 'reelfarm up', or reelfarm-worker"});
  }
}

void check_stitchers(const FarmRecords& records, std::vector<Finding>& findings) {
  int serving = 0;
  for (const queue::StitcherRecord& stitcher : records.stitchers) {
    const std::string name = stitcher.id + " (host " + stitcher.host + ")";
    if (stitcher.gone) {
      findings.push_back(
          {Health::note, "stitcher", name + " is gone without a word", "start it again if it is missed"});
    } else if (!stitcher.note.empty()) {
      findings.push_back(
          {Health::problem, "stitcher", name + " takes nothing: " + stitcher.note, "mend what it names"});
    } else {
      ++serving;
    }
  }
  const auto videos = [](int count, const char* one, const char* many) {
    return std::to_string(count) + (count == 1 ? one : many);
  };
  if (serving > 0) {
    findings.push_back({Health::ok, "stitchers",
                        std::to_string(serving) + (serving == 1 ? " stitcher is" : " stitchers are") + " there, " +
                            videos(records.stitches_leased, " video is", " videos are") + " being stitched"});
  } else {
    findings.push_back(
        {Health::problem, "stitchers",
         "no stitcher is running" +
             (records.stitches_ready == 0
                  ? std::string()
                  : ", and " + videos(records.stitches_ready, " video waits", " videos wait") + " for one"),
         "start one: 'reelfarm up', or reelfarm-stitcher"});
  }
}

}  // namespace

FarmRecords read_farm_records(queue::JobStore& store) {
  FarmRecords records;
  records.local_now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  records.server_now = store.now();
  records.disk = store.disk_state();
  records.groups = store.list_groups();
  records.stitchers = store.list_stitchers();
  records.pause = store.farm_pause();
  records.bundles = store.list_bundles();
  queue::JobQuery running;
  running.states = {queue::JobState::running};
  for (const queue::JobRecord& job : store.list_jobs(running)) {
    const auto stitch = store.get_task(queue::task_id(job.id, queue::TaskKind::stitch));
    if (!stitch) continue;
    // A stitch that was given back for a moment is not waiting.
    const bool waits = stitch->state == queue::TaskState::ready && stitch->not_before < records.server_now;
    records.stitches_ready += waits ? 1 : 0;
    records.stitches_leased += stitch->state == queue::TaskState::leased ? 1 : 0;
  }
  return records;
}

std::vector<Finding> check_farm(const FarmRecords& records) {
  std::vector<Finding> findings = {check_clock(records), check_coordinator(records)};
  if (records.disk) findings.push_back(check_disk(*records.disk));
  if (records.pause) {
    findings.push_back({Health::note, "pause", "the farm is paused by " + records.pause->by + ": nothing is rendered",
                        "'reelfarm resume --all' lets it go on"});
  }
  check_hosts(records, findings);
  check_groups(records, findings);
  check_stitchers(records, findings);
  check_bundles(records, findings);
  return findings;
}

}  // namespace reelfarm::cli
