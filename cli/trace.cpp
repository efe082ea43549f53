#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/trace/timeline.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "queue/event_scan.hpp"

namespace reelfarm::cli {

int run_trace(const Arguments& arguments) {
  queue::JobStore store = connect(arguments, data_folder(arguments));
  TraceRecords records;
  records.job = require_job(store, arguments.operands()[0]);
  records.tasks = store.get_tasks(records.job.id);
  queue::scan_events(store.options(), records.job.submitted, [&](const queue::Event& event) {
    if (event.job == records.job.id) records.events.push_back(event);
  });
  records.groups = store.list_groups();
  records.now = store.now();
  const auto oldest = queue::oldest_event(store.options());
  if (!oldest || *oldest > records.job.submitted) {
    std::fprintf(stderr, "reelfarm: the events of the job's beginning are not kept any more: that part is missing\n");
  }
  const std::string text = timeline_of(records).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::string output = arguments.text("output", "-");
  if (output == "-") {
    std::fputs(text.c_str(), stdout);
    return kDone;
  }
  try {
    artifacts::write_file_durably(std::filesystem::absolute(output), text);
  } catch (const artifacts::ArtifactError& error) {
    throw BadInput(error.what());
  }
  std::printf("%s: open it in https://ui.perfetto.dev or chrome://tracing\n", output.c_str());
  return kDone;
}

}  // namespace reelfarm::cli
