#pragma once

#include <string>
#include <vector>

#include "coordinator/why/facts.hpp"
#include "coordinator/why/group_bar.hpp"

namespace reelfarm::why {

enum class ReasonCode {
  done,
  rejected,
  failed,
  poison,
  cancelled,
  submitted,
  held,
  paused,
  running,
  lease_ran_out,
  resting,
  disk_full,
  farm_paused,
  no_groups,
  group,
  groups_busy,
  jobs_first,
  dependency,
  no_stitcher,
  stitcher,
  stitchers_busy,
};

/// One reason for where a job stands. Which fields are set depends on the code; the words are those of words.hpp.
struct Reason {
  ReasonCode code = ReasonCode::done;
  queue::TaskKind kind = queue::TaskKind::window;  ///< of `task`
  int window = 0;                                  ///< of `task`
  std::string task{};                              ///< empty: about the job as a whole
  std::string job{};                               ///< another job
  std::string owner{};                             ///< group or stitcher
  std::string host{};
  std::string detail{};  ///< words of somebody else: an error, a note, a state, a path
  std::string wanted{};  ///< what the job asks for where `detail` is what there is instead
  GroupBar bar = GroupBar::none;
  std::int64_t count = 0;     ///< crashes or failures so far, jobs that go first, tasks that wait, attempt, step
  std::int64_t limit = 0;     ///< of count; of jobs that go first: how many by their priority
  queue::ServerTime since{};  ///< the epoch: not known
  queue::ServerTime until{};
};

/// Why the job is where it is and what it waits for, the most important reason first. Pure.
std::vector<Reason> reasons_for(const Facts& facts);

}  // namespace reelfarm::why
