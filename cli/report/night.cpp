#include "cli/report/night.hpp"

#include "cli/report/needs_hand.hpp"
#include "cli/report/window_figures.hpp"

namespace reelfarm::cli {
namespace {

using queue::ServerTime;

/// Owners are named "<host>-<8 digits>", stitchers "stitcher-<host>-<8 digits>".
std::string host_in(const std::string& owner) {
  constexpr std::string_view kStitcher = "stitcher-";
  const std::string group = owner.starts_with(kStitcher) ? owner.substr(kStitcher.size()) : owner;
  return group.substr(0, group.rfind('-'));
}

std::map<std::string, std::string> hosts_of_owners(const NightRecords& records) {
  std::map<std::string, std::string> hosts;
  for (const queue::GroupRecord& group : records.groups) hosts[group.id] = group.host;
  for (const queue::TaskRecord& task : records.tasks) {
    if (!task.owner.empty() && !task.host.empty()) hosts[task.owner] = task.host;
  }
  return hosts;
}

bool is_stitch(const queue::Event& event) {
  return event.task.ends_with(".stitch");
}

std::map<std::string, HostTrouble> hosts_with_trouble(const NightRecords& records) {
  const std::map<std::string, std::string> hosts = hosts_of_owners(records);
  std::map<std::string, HostTrouble> found;
  for (const queue::Event& event : records.events) {
    if (event.owner.empty() || event.task.empty()) continue;
    const auto host = hosts.find(event.owner);
    const auto trouble = [&]() -> HostTrouble& {
      return found[host == hosts.end() ? host_in(event.owner) : host->second];
    };
    if (event.type == "retry" || event.type == "poison" || event.type == "failed") {
      const bool hung = event.error_class == "hang";
      const bool crashed =
          hung || event.error_class == "crash" || event.error_class == "lost" || event.error_class == "poison";
      (crashed ? trouble().crashes : trouble().errors) += 1;
      if (hung) ++trouble().hangs;
    } else if (event.type == "released" && event.error_class == "preempted" && !is_stitch(event)) {
      ++trouble().released;
    } else if (event.type == "claimed" && event.attempt > 1 && !is_stitch(event)) {
      ++trouble().claims_anew;
    }
  }
  return found;
}

}  // namespace

NightReport make_report(const NightRecords& records) {
  NightReport report;
  report.since = records.since;
  report.until = records.now;
  if (records.oldest_event && *records.oldest_event > records.since) report.events_from = records.oldest_event;
  for (const queue::JobRecord& job : records.jobs) {
    if (queue::is_terminal(job.state) && job.finished < records.since) continue;
    ++report.jobs[job.state];
    if (job.state == queue::JobState::failed) report.failed.push_back({job.id, job.spec.name, job.error.message});
  }
  report.windows = window_figures(records.tasks, records.since);
  report.hosts = hosts_with_trouble(records);
  report.needs_hand = what_needs_a_hand(records);
  return report;
}

}  // namespace reelfarm::cli
