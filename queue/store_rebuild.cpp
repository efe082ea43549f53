// JobStore: the farm's id, and jobs that Redis has lost.
#include "queue/codec.hpp"
#include "queue/detail/plan_arguments.hpp"
#include "queue/detail/random.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::Reply;
using detail::ReplyPtr;

std::string JobStore::farm_id() {
  const ReplyPtr reply = impl_->connection.command({"HGET", impl_->keys.farm(), "id"});
  const Reply id(reply.get());
  return id.is_nil() ? "" : id.text();
}

std::string JobStore::adopt_farm_id(const std::string& wanted) {
  const std::string id = wanted.empty() ? detail::random_word(16) : wanted;
  impl_->connection.pipeline(
      {{"HSETNX", impl_->keys.farm(), "schema", std::to_string(kSchema)}, {"HSETNX", impl_->keys.farm(), "id", id}});
  return farm_id();
}

std::vector<std::string> JobStore::unknown_jobs(const std::vector<std::string>& jobs) {
  const Keys& keys = impl_->keys;
  std::vector<Arguments> commands;
  for (const std::string& job : jobs) {
    commands.push_back({"EXISTS", keys.job(job), keys.inbox_entry(job), keys.rejected(job), keys.forgotten(job)});
  }
  const std::vector<ReplyPtr> replies = impl_->connection.pipeline(commands);
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (Reply(replies[i].get()).integer() == 0) unknown.push_back(jobs[i]);
  }
  return unknown;
}

bool JobStore::restore(const std::string& job, const SavedJob& saved) {
  const std::string over = saved.end ? std::string(to_string(saved.end->state)) : "";
  const SavedChanges& changes = saved.changes;
  const SavedEnd end = saved.end.value_or(SavedEnd{});
  Arguments arguments = {job,
                         encode(saved.asked),
                         saved.asked.request_id,
                         detail::milliseconds_text(impl_->options.request_memory),
                         std::to_string(detail::milliseconds_of(saved.submitted)),
                         over,
                         end.error.error_class,
                         end.error.message,
                         end.error.task,
                         std::to_string(detail::milliseconds_of(end.finished)),
                         std::to_string(changes.revision),
                         changes.paused ? "1" : "0",
                         changes.priority ? std::to_string(*changes.priority) : "",
                         changes.allow_mix ? "1" : "0",
                         changes.after_waived ? "1" : "0",
                         changes.used ? "1" : "0"};
  detail::append_plan(arguments, job, saved.plan, saved.end && saved.end->state != JobState::done);
  const ReplyPtr reply = impl_->run("restore", impl_->keys.job(job), arguments);
  return Reply(reply.get())[0].text() == "ok";
}

void JobStore::bury(const std::string& job, const std::string& reason, const std::string& payload) {
  impl_->run("bury", impl_->keys.job(job),
             {job, reason, payload, detail::milliseconds_text(impl_->options.rejected_memory)});
}

}  // namespace reelfarm::queue
