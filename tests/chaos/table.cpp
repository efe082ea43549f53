#include "tests/chaos/table.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

namespace reelfarm::chaos {
namespace {

double seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// Of sorted times.
double median(const std::vector<std::chrono::milliseconds>& times) {
  return (seconds(times[(times.size() - 1) / 2]) + seconds(times[times.size() / 2])) / 2;
}

std::string row(std::string_view name, int count, const std::vector<std::chrono::milliseconds>& times) {
  if (times.empty()) return fmt::format("{:<22}{:>6}{:>8}{:>11}{:>11}\n", name, count, 0, "-", "-");
  return fmt::format("{:<22}{:>6}{:>8}{:>9.2f} s{:>9.2f} s\n", name, count, times.size(), median(times),
                     seconds(times.back()));
}

}  // namespace

std::string make_table(const Campaign& campaign, const Outcome& outcome, const std::string& disk) {
  std::string text = fmt::format("{:<22}{:>6}{:>8}{:>11}{:>11}\n", "fault", "count", "tasks", "median", "worst");
  std::vector<std::chrono::milliseconds> kills;
  int group_kills = 0;
  for (std::size_t kind = 0; kind < kFaultKinds.size(); ++kind) {
    const FaultKind& fault = kFaultKinds[kind];
    if (fault.victim == Victim::disk && !disk.empty()) {
      text += fmt::format("{:<22}{:>6}  left out: {}\n", fault.name, "-", disk);
      continue;
    }
    const int count = campaign.injector().count(kind);
    const auto times = campaign.recovery().of(kind);
    text += row(fault.name, count, times);
    if (fault.action != Action::kill || !is_of_group(fault.victim)) continue;
    group_kills += count;
    kills.insert(kills.end(), times.begin(), times.end());
  }
  std::sort(kills.begin(), kills.end());
  text += row("kills in a group", group_kills, kills);
  text += fmt::format(
      "{} faults in {:.0f} s; {} jobs: {} lost, {} with other bytes; {} tasks done, {} doubled; {} complaint(s)\n",
      campaign.injector().done(), seconds(outcome.took), outcome.jobs, outcome.lost, outcome.different, outcome.tasks,
      outcome.doubled.size(), outcome.complaints.size());
  return text;
}

}  // namespace reelfarm::chaos
