// JobStore: the farm's id, jobs that Redis has lost, and jobs that are being removed.
#include <algorithm>

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

std::vector<Standing> JobStore::standing(const std::vector<std::string>& jobs) {
  constexpr std::size_t kBatch = 1000;  // a script holds up everybody else
  std::vector<Standing> standings;
  for (std::size_t start = 0; start < jobs.size(); start += kBatch) {
    const auto first = jobs.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last = first + static_cast<std::ptrdiff_t>(std::min(kBatch, jobs.size() - start));
    const ReplyPtr reply = impl_->run("standing", impl_->keys.jobs(), Arguments(first, last));
    for (const std::string& word : Reply(reply.get()).strings()) {
      standings.push_back(word == "known"      ? Standing::known
                          : word == "removing" ? Standing::removing
                                               : Standing::unknown);
    }
  }
  return standings;
}

std::vector<Removal> JobStore::removals() {
  const ReplyPtr reply = impl_->connection.command({"HGETALL", impl_->keys.removing()});
  const std::vector<std::string> flat = Reply(reply.get()).strings();
  std::vector<Removal> removals;
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) removals.push_back({flat[i], flat[i + 1]});
  return removals;
}

bool JobStore::mark_removing(const std::string& job) {
  const ReplyPtr reply = impl_->run("mark_removing", impl_->keys.removing(), {job});
  return Reply(reply.get())[0].text() == "ok";
}

void JobStore::files_removed(const std::string& job) {
  impl_->run("files_removed", impl_->keys.removing(), {job});
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
