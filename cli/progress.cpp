#include "cli/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

constexpr int kBarWidth = 30;
constexpr std::size_t kMaxWindowLines = 8;

std::string bar(double fraction) {
  const int filled = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * kBarWidth));
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), '-') + "]";
}

std::string window_line(const coordinator::WindowView& window) {
  char start[32];
  std::snprintf(start, sizeof start, "  window %-4d ", window.index);
  std::string line = start + bar(window.fraction) + " " + window.state;
  if (window.state == "running") {
    line = start + bar(window.fraction) + " " + (window.phase.empty() ? "starting" : window.phase);
    if (window.phase == "step") line += " " + std::to_string(window.step) + "/" + std::to_string(window.steps);
  }
  if (window.seconds > 0) line += "  " + duration_text(window.seconds);
  if (window.attempt > 1) line += "  attempt " + std::to_string(window.attempt);
  if (window.state == "failed" && !window.detail.empty()) line += "  " + window.detail;
  return line;
}

std::string heading(const coordinator::JobView& view) {
  const queue::JobRecord& job = view.job;
  std::string line = job.id + "  " + std::string(to_string(job.state));
  if (!job.spec.name.empty()) line += "  " + one_line(job.spec.name, 40);
  if (!view.windows.empty()) {
    line += "  " + std::to_string(view.windows_done()) + " of " + std::to_string(view.windows.size()) + " windows";
  }
  if (!job.hold.empty()) line += "  held: " + job.hold;
  if (!job.error.message.empty()) line += "  " + job.error.message;
  return line;
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::size_t terminal_rows() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24;
}

}  // namespace

double seconds_left(const coordinator::JobView& view, double window_seconds) {
  double sum = 0;
  int done = 0;
  for (const coordinator::WindowView& window : view.windows) {
    if (window.state != "done" || window.seconds <= 0) continue;  // none: found on the disk after Redis had lost it
    sum += window.seconds;
    ++done;
  }
  const double each = done > 0 ? sum / done : window_seconds;
  if (each <= 0 || view.windows.empty()) return -1;
  double left = 0;
  for (const coordinator::WindowView& window : view.windows) {
    if (window.state == "running") left += std::max(0.0, each - window.seconds);
    if (window.state == "queued") left += each;
  }
  return left;
}

std::vector<std::string> bars(const coordinator::JobView& view, double window_seconds, std::size_t columns) {
  std::vector<std::string> lines = {heading(view)};
  // Of a long video only the windows around the working place fit on a screen.
  std::size_t first = 0;
  if (view.windows.size() > kMaxWindowLines) {
    while (first + kMaxWindowLines < view.windows.size() && view.windows[first].state == "done") ++first;
    if (first > 0) lines.push_back("  windows 0 to " + std::to_string(first - 1) + " done");
  }
  const std::size_t last = std::min(view.windows.size(), first + kMaxWindowLines);
  for (std::size_t index = first; index < last; ++index) lines.push_back(window_line(view.windows[index]));
  if (last < view.windows.size()) {
    lines.push_back("  " + std::to_string(view.windows.size() - last) + " more windows");
  }
  if (view.stitching || view.stitched > 0) {
    char percent[16];
    std::snprintf(percent, sizeof percent, " %3.0f %%", 100 * view.stitched);
    lines.push_back("  stitch      " + bar(view.stitched) + percent);
  }
  const double left = queue::is_terminal(view.job.state) ? -1 : seconds_left(view, window_seconds);
  if (left >= 0) lines.push_back("  about " + duration_text(left) + " left");
  for (std::string& line : lines) line = one_line(line, columns - 4);
  return lines;
}

bool ProgressPrinter::stderr_is_terminal() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && terminal && std::string(terminal) != "dumb";
}

void ProgressPrinter::show(const std::vector<coordinator::JobView>& views,
                           const std::map<std::string, double>& window_seconds) {
  if (terminal_) {
    show_bars(views, window_seconds);
  } else {
    for (const coordinator::JobView& view : views) show_changes(view);
  }
}

void ProgressPrinter::say(const std::string& line) {
  if (lines_drawn_ > 0) std::fprintf(stderr, "\x1b[%dA\x1b[J", lines_drawn_);
  lines_drawn_ = 0;
  std::fprintf(stderr, "%s\n", line.c_str());
}

void ProgressPrinter::show_bars(const std::vector<coordinator::JobView>& views,
                                const std::map<std::string, double>& window_seconds) {
  std::vector<std::string> lines;
  for (const coordinator::JobView& view : views) {
    const auto known = window_seconds.find(view.job.id);
    const auto more = bars(view, known == window_seconds.end() ? -1 : known->second, terminal_columns());
    // Of many jobs those that are over or have not begun take one line.
    const bool working = view.job.state == queue::JobState::running;
    lines.insert(lines.end(), more.begin(), views.size() > 1 && !working ? more.begin() + 1 : more.end());
  }
  const std::size_t rows = terminal_rows() - 1;
  if (lines.size() > rows) lines.resize(rows);
  std::string text = lines_drawn_ > 0 ? "\x1b[" + std::to_string(lines_drawn_) + "A\x1b[J" : "";
  for (const std::string& line : lines) text += line + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  lines_drawn_ = static_cast<int>(lines.size());
}

void ProgressPrinter::show_changes(const coordinator::JobView& view) {
  const queue::JobRecord& job = view.job;
  const std::string state(to_string(job.state));
  note(job.id, state,
       "job=" + job.id + " state=" + state +
           (job.error.message.empty() ? "" : " error=\"" + one_line(job.error.message, 500) + "\""));
  for (const coordinator::WindowView& window : view.windows) {
    if (window.state == "queued" && window.attempt == 0) continue;
    const std::string key = job.id + "." + std::to_string(window.index);
    const std::string change = window.state + " " + std::to_string(window.attempt);
    std::string line = "job=" + job.id + " window=" + std::to_string(window.index) + " state=" + window.state +
                       " attempt=" + std::to_string(window.attempt);
    if (window.state == "done") line += " seconds=" + duration_text(window.seconds);
    note(key, change, line);
  }
  if (view.stitching) note(job.id + ".stitch", "running", "job=" + job.id + " stitch=running");
}

void ProgressPrinter::note(const std::string& key, const std::string& state, const std::string& line) {
  std::string& seen = seen_[key];
  if (seen == state) return;
  seen = state;
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace reelfarm::cli
