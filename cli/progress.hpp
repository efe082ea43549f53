#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "coordinator/job_view.hpp"

namespace reelfarm::cli {

/// Seconds a job still needs, by the mean of its own done windows, else by `window_seconds`; negative: unknown.
double seconds_left(const coordinator::JobView& view, double window_seconds);

/// The lines of one job: a heading, a bar per window (of many only those that are not done), the stitch, time left.
std::vector<std::string> bars(const coordinator::JobView& view, double window_seconds, std::size_t columns);

/// Progress on stderr: bars that are drawn over again on a terminal, otherwise one line per state change.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(bool terminal) : terminal_(terminal) {}
  /// True when stderr is a terminal that can move the cursor.
  static bool stderr_is_terminal();

  void show(const std::vector<coordinator::JobView>& views, const std::map<std::string, double>& window_seconds);
  /// One line that stays, above the bars.
  void say(const std::string& line);

 private:
  void show_bars(const std::vector<coordinator::JobView>& views, const std::map<std::string, double>& window_seconds);
  void show_changes(const coordinator::JobView& view);
  void note(const std::string& key, const std::string& state, const std::string& line);

  bool terminal_;
  int lines_drawn_ = 0;
  std::map<std::string, std::string> seen_;  ///< job or window -> state last printed
};

}  // namespace reelfarm::cli
