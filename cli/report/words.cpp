#include "cli/report/words.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kColumns = 200;

std::string line(const std::string& what, const std::string& text) {
  std::string padded = "  " + what;
  if (padded.size() < 16) padded.resize(16, ' ');
  return padded + " " + one_line(text, kColumns) + "\n";
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string trouble_text(const HostTrouble& trouble) {
  return "crashes " + std::to_string(trouble.crashes) + " (hangs " + std::to_string(trouble.hangs) + "), errors " +
         std::to_string(trouble.errors) + ", given back " + std::to_string(trouble.released) + ", taken over " +
         std::to_string(trouble.claims_anew);
}

std::int64_t milliseconds(queue::ServerTime time) {
  return time.time_since_epoch().count();
}

}  // namespace

std::string jobs_text(const NightReport& report) {
  std::string text;
  for (const auto& [state, count] : report.jobs) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(state));
  }
  return text.empty() ? "none" : text;
}

std::string windows_text(const WindowFigures& windows) {
  if (windows.count == 0) return "none rendered";
  return std::to_string(windows.count) + " rendered, median " + duration_text(windows.median_seconds) + ", worst " +
         duration_text(windows.worst_seconds) + " (" + windows.worst_task + "); " + std::to_string(windows.frames) +
         " frames, " + rounded(windows.frames_per_minute) + " a minute";
}

std::string text_of(const NightReport& report) {
  std::string text = "since " + time_text(report.since) + "\n";
  if (report.events_from) {
    text += line("note", "the events that are kept begin at " + time_text(*report.events_from) +
                             ": trouble of hosts before that is not counted");
  }
  text += line("jobs", jobs_text(report));
  text += line("windows", windows_text(report.windows));
  for (const EndedJob& job : report.failed) {
    text += line("failed", job.job + (job.name.empty() ? "" : " " + job.name) + ": " + job.reason);
  }
  for (const auto& [host, trouble] : report.hosts) text += line("host", host + ": " + trouble_text(trouble));
  if (report.needs_hand.empty()) return text + line("needs a hand", "nothing");
  for (const NeedsHand& item : report.needs_hand) text += line("needs a hand", item.subject + ": " + item.what);
  return text;
}

json json_of(const NightReport& report) {
  json document = {{"since_ms", milliseconds(report.since)},
                   {"until_ms", milliseconds(report.until)},
                   {"events_from_ms", report.events_from ? json(milliseconds(*report.events_from)) : json(nullptr)},
                   {"jobs", json::object()},
                   {"failed", json::array()},
                   {"hosts", json::object()},
                   {"needs_hand", json::array()},
                   {"windows",
                    {{"count", report.windows.count},
                     {"median_seconds", report.windows.median_seconds},
                     {"worst_seconds", report.windows.worst_seconds},
                     {"worst_task", report.windows.worst_task},
                     {"frames", report.windows.frames},
                     {"frames_per_minute", report.windows.frames_per_minute}}}};
  for (const auto& [state, count] : report.jobs) document["jobs"][std::string(to_string(state))] = count;
  for (const EndedJob& job : report.failed) {
    document["failed"].push_back({{"job", job.job}, {"name", job.name}, {"reason", job.reason}});
  }
  for (const auto& [host, trouble] : report.hosts) {
    document["hosts"][host] = {{"crashes", trouble.crashes},
                               {"hangs", trouble.hangs},
                               {"errors", trouble.errors},
                               {"released", trouble.released},
                               {"claims_anew", trouble.claims_anew}};
  }
  for (const NeedsHand& item : report.needs_hand) {
    document["needs_hand"].push_back({{"subject", item.subject}, {"what", item.what}});
  }
  return document;
}

}  // namespace reelfarm::cli
