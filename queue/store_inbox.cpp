// JobStore: out of the inbox, by a coordinator's decision.
#include <algorithm>
#include <map>
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/plan_check.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::milliseconds_text;
using detail::Reply;
using detail::ReplyPtr;

namespace {

std::string depends_text(const TaskSpec& task) {
  std::string text;
  for (const Dependency& dependency : task.depends) {
    text += (text.empty() ? "" : " ") + dependency.task + ":" + std::string(to_string(dependency.on));
  }
  return text;
}

/// As enter_tasks of the scripts reads them.
void append_tasks(Arguments& arguments, const Plan& plan, const std::map<std::string, std::string>& dependents) {
  arguments.push_back(std::to_string(plan.tasks.size()));
  for (const TaskSpec& task : plan.tasks) {
    arguments.insert(arguments.end(), {task.id, std::string(to_string(task.kind)), std::to_string(task.window),
                                       encode(task), depends_text(task), dependents.at(task.id), task.bundle_hash});
    const auto found = plan.finished.find(task.id);
    if (found == plan.finished.end()) {
      arguments.insert(arguments.end(), {"", "", "", "", ""});
      continue;
    }
    const FinishReport& report = found->second;
    arguments.insert(arguments.end(), {report.digest, encode(report.artifact), report.tail ? report.tail->sha256 : "",
                                       report.tail ? encode(*report.tail) : "", report.metrics});
  }
}

/// The published video where the plan's stitch task is done already, else "".
std::string output_of(const std::string& job, const Plan& plan) {
  const auto stitch = plan.finished.find(task_id(job, TaskKind::stitch));
  return stitch == plan.finished.end() ? "" : stitch->second.artifact.path;
}

}  // namespace

std::vector<InboxEntry> JobStore::read_inbox(int limit) {
  if (limit <= 0) return {};
  const ReplyPtr reply = impl_->connection.command({"ZRANGE", impl_->keys.inbox(), "0", std::to_string(limit - 1)});
  std::vector<InboxEntry> entries;
  for (const std::string& job : Reply(reply.get()).strings()) {
    std::string reason = "the inbox entry is missing";
    try {
      const detail::HashFields fields(
          Reply(impl_->connection.command({"HGETALL", impl_->keys.inbox_entry(job)}).get()));
      if (!fields.empty()) {
        const JobRecord record = detail::inbox_record(job, fields);
        entries.push_back({job, record.asked, record.sequence, record.submitted});
        continue;
      }
      // Cancelled or accepted by another since the index was read: then the index has let it go as well.
      if (Reply(impl_->connection.command({"ZSCORE", impl_->keys.inbox(), job}).get()).is_nil()) continue;
    } catch (const CodecError& error) {
      reason = error.what();
    } catch (const ReplyError& error) {
      if (error.code() != "WRONGTYPE") throw;
      reason = error.what();
    }
    impl_->run("reject", impl_->keys.inbox_entry(job),
               {job, reason, milliseconds_text(impl_->options.rejected_memory), "1"});
  }
  return entries;
}

bool JobStore::accept(const std::string& job, const Plan& plan) {
  if (!is_job_id(job)) throw std::invalid_argument("\"" + job + "\" is not a job id");
  const std::map<std::string, std::string> dependents = detail::check_plan(job, plan);
  const auto windows = std::count_if(plan.tasks.begin(), plan.tasks.end(),
                                     [](const TaskSpec& task) { return task.kind == TaskKind::window; });
  Arguments arguments = {job,
                         encode(plan.spec),
                         std::to_string(plan.spec.priority),
                         std::to_string(windows),
                         std::to_string(plan.bytes_needed),
                         plan.spec.after,
                         plan.spec.required_dtype(),
                         plan.fingerprint,
                         output_of(job, plan),
                         plan.spec.family,
                         std::to_string(plan.spec.take)};
  append_tasks(arguments, plan, dependents);
  const ReplyPtr reply = impl_->run("accept", impl_->keys.inbox_entry(job), arguments);
  return Reply(reply.get())[0].text() == "ok";
}

bool JobStore::reject(const std::string& job, const std::string& reason) {
  const ReplyPtr reply = impl_->run("reject", impl_->keys.inbox_entry(job),
                                    {job, reason, milliseconds_text(impl_->options.rejected_memory), "0"});
  return Reply(reply.get())[0].text() == "ok";
}

}  // namespace reelfarm::queue
