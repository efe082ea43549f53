#include <nlohmann/json.hpp>
#include <string>

#include "cli/report/words.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top;"
    "overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}td,th{border-color:#333}"
    "}";

/// As text between tags and in attributes: nothing in it is markup.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string row(std::initializer_list<std::string> cells) {
  std::string html = "<tr>";
  for (const std::string& cell : cells) html += "<td>" + escaped(cell) + "</td>";
  return html + "</tr>\n";
}

/// Nothing when there are no rows.
std::string table(const std::string& title, std::initializer_list<std::string> heads, const std::string& rows) {
  if (rows.empty()) return "";
  std::string html = "<h2>" + escaped(title) + "</h2>\n<table>\n<tr>";
  for (const std::string& head : heads) html += "<th>" + escaped(head) + "</th>";
  return html + "</tr>\n" + rows + "</table>\n";
}

}  // namespace

std::string html_of(const NightReport& report) {
  std::string hands;
  for (const NeedsHand& item : report.needs_hand) hands += row({item.subject, item.what});
  std::string failed;
  for (const EndedJob& job : report.failed) failed += row({job.job, job.name, job.reason});
  std::string hosts;
  for (const auto& [host, trouble] : report.hosts) {
    hosts += row({host, std::to_string(trouble.crashes), std::to_string(trouble.hangs), std::to_string(trouble.errors),
                  std::to_string(trouble.released), std::to_string(trouble.claims_anew)});
  }
  const std::string title = "Reelfarm, " + time_text(report.since) + " to " + time_text(report.until);
  std::string html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + escaped(title) +
                     "</title><meta name=\"viewport\" content=\"width=device-width\"><style>" + kStyle +
                     "</style></head><body>\n<h1>" + escaped(title) + "</h1>\n";
  if (report.events_from) {
    html += "<p>" +
            escaped("The events that are kept begin at " + time_text(*report.events_from) +
                    ": trouble of hosts before that is not counted.") +
            "</p>\n";
  }
  html +=
      "<table>\n" + row({"jobs", jobs_text(report)}) + row({"windows", windows_text(report.windows)}) + "</table>\n";
  html += hands.empty() ? "<p>Nothing needs a hand.</p>\n" : table("Needs a hand", {"what", "why"}, hands);
  html += table("Failed", {"job", "name", "reason"}, failed);
  html += table("Trouble by host", {"host", "crashes", "hangs", "errors", "given back", "taken over"}, hosts);
  return html + "</body></html>\n";
}

}  // namespace reelfarm::cli
