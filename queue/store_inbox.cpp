// JobStore: out of the inbox, by a coordinator's decision.
#include "queue/detail/plan_arguments.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::milliseconds_text;
using detail::Reply;
using detail::ReplyPtr;

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
  Arguments arguments = {job};
  detail::append_plan(arguments, job, plan);
  const ReplyPtr reply = impl_->run("accept", impl_->keys.inbox_entry(job), arguments);
  return Reply(reply.get())[0].text() == "ok";
}

void JobStore::note_waiting(const std::string& job, const std::string& reason) {
  impl_->run("note_waiting", impl_->keys.inbox_entry(job), {job, reason});
}

bool JobStore::reject(const std::string& job, const std::string& reason) {
  const ReplyPtr reply = impl_->run("reject", impl_->keys.inbox_entry(job),
                                    {job, reason, milliseconds_text(impl_->options.rejected_memory), "0"});
  return Reply(reply.get())[0].text() == "ok";
}

}  // namespace reelfarm::queue
