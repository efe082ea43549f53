#include "cli/report/night.hpp"
#include "queue/event_scan.hpp"

namespace reelfarm::cli {

NightRecords read_night(queue::JobStore& store, std::chrono::milliseconds span) {
  constexpr int kMaxDeadLetters = 1000;
  NightRecords records;
  records.now = store.now();
  records.since = records.now - span;
  records.oldest_event = queue::oldest_event(store.options());
  queue::scan_events(store.options(), records.since, [&](const queue::Event& event) {
    // Steps are most of the stream, and the report has no use for them.
    if (event.type != "step") records.events.push_back(event);
  });
  records.jobs = store.list_jobs();
  for (const queue::JobRecord& job : records.jobs) {
    if (queue::is_terminal(job.state) && job.finished < records.since) continue;
    for (queue::TaskRecord& task : store.get_tasks(job.id)) records.tasks.push_back(std::move(task));
  }
  records.groups = store.list_groups();
  records.stitchers = store.list_stitchers();
  records.dead_letters = store.dead_letters(kMaxDeadLetters);
  return records;
}

}  // namespace reelfarm::cli
