#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/report/words.hpp"

namespace reelfarm::cli {
namespace {

/// "90m", "12h", "2d". Throws BadInput.
std::chrono::milliseconds parse_span(const std::string& text) {
  const std::string rule = "--since is '" + text + "': must be a time back from now, such as 90m, 12h or 2d";
  if (text.size() < 2) throw BadInput(rule);
  double seconds = 0;
  switch (text.back()) {
    case 's':
      seconds = 1;
      break;
    case 'm':
      seconds = 60;
      break;
    case 'h':
      seconds = 3600;
      break;
    case 'd':
      seconds = 86400;
      break;
    default:
      throw BadInput(rule);
  }
  seconds *= parse_number("--since", text.substr(0, text.size() - 1));
  // Written so that a NaN fails too.
  constexpr double kTenYears = 10 * 366 * 86400.0;
  if (!(seconds > 0 && seconds <= kTenYears)) throw BadInput(rule);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

}  // namespace

int run_report(const Arguments& arguments) {
  if (arguments.flag("json") && arguments.flag("html")) throw BadInput("give --json or --html, not both");
  const std::chrono::milliseconds span = parse_span(arguments.text("since", "12h"));
  queue::JobStore store = connect(arguments, data_folder(arguments));
  const NightReport report = make_report(read_night(store, span));
  const std::string text = arguments.flag("json")   ? json_of(report).dump() + "\n"
                           : arguments.flag("html") ? html_of(report)
                                                    : text_of(report);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace reelfarm::cli
