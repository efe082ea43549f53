// JobStore: from the inbox to an accepted job, and the changes operators make to one.
#include <map>
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/plan_check.hpp"
#include "queue/detail/random.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::Reply;
using detail::ReplyPtr;

namespace {

std::string milliseconds_text(std::chrono::milliseconds duration) {
  return std::to_string(duration.count());
}

std::string depends_text(const TaskSpec& task) {
  std::string text;
  for (const Dependency& dependency : task.depends) {
    text += (text.empty() ? "" : " ") + dependency.task + ":" + std::string(to_string(dependency.on));
  }
  return text;
}

constexpr int kMaxRequestId = 200;

void check_spec(const JobSpec& spec) {
  if (spec.request_id.size() > kMaxRequestId) {
    throw std::invalid_argument("request id of " + std::to_string(spec.request_id.size()) + " bytes; at most " +
                                std::to_string(kMaxRequestId));
  }
  if (spec.priority < -100 || spec.priority > 100) {
    throw std::invalid_argument("priority " + std::to_string(spec.priority) + " is outside -100..100");
  }
}

}  // namespace

SubmitResult JobStore::submit(const JobSpec& spec) {
  return submit_batch({spec}).front();
}

std::vector<SubmitResult> JobStore::submit_batch(const std::vector<JobSpec>& specs) {
  if (specs.empty()) return {};
  // Made once: the same request ids go out again should the answer be lost, so nothing is submitted twice.
  std::vector<JobSpec> named = specs;
  for (JobSpec& spec : named) {
    check_spec(spec);
    if (spec.request_id.empty()) spec.request_id = "r" + detail::random_word(20);
  }
  for (;;) {
    Arguments arguments = {milliseconds_text(impl_->options.request_memory), std::to_string(named.size())};
    for (const JobSpec& spec : named) {
      arguments.push_back(make_job_id());
      arguments.push_back(spec.request_id);
      arguments.push_back(encode(spec));
    }
    const ReplyPtr reply = impl_->run("submit", impl_->keys.inbox(), arguments);
    const Reply words(reply.get());
    if (words[0].text() == "collision") continue;  // one id in 2^60 is taken
    std::vector<SubmitResult> results;
    for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
      results.push_back({words[i].text(), words[i + 1].integer() == 1});
    }
    return results;
  }
}

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
  int windows = 0;
  for (const TaskSpec& task : plan.tasks) windows += task.kind == TaskKind::window ? 1 : 0;
  Arguments arguments = {job,
                         encode(plan.spec),
                         std::to_string(plan.spec.priority),
                         std::to_string(windows),
                         std::to_string(plan.bytes_needed),
                         plan.spec.after,
                         plan.spec.required_dtype(),
                         std::to_string(plan.tasks.size())};
  for (const TaskSpec& task : plan.tasks) {
    arguments.insert(arguments.end(), {task.id, std::string(to_string(task.kind)), std::to_string(task.window),
                                       encode(task), depends_text(task), dependents.at(task.id), task.bundle_hash});
  }
  const ReplyPtr reply = impl_->run("accept", impl_->keys.inbox_entry(job), arguments);
  return Reply(reply.get())[0].text() == "ok";
}

bool JobStore::reject(const std::string& job, const std::string& reason) {
  const ReplyPtr reply = impl_->run("reject", impl_->keys.inbox_entry(job),
                                    {job, reason, milliseconds_text(impl_->options.rejected_memory), "0"});
  return Reply(reply.get())[0].text() == "ok";
}

Change JobStore::cancel(const std::string& job, const std::string& reason) {
  return impl_->run_change("cancel", job, {reason});
}
Change JobStore::pause(const std::string& job) {
  return impl_->run_change("pause", job);
}
Change JobStore::resume(const std::string& job) {
  return impl_->run_change("resume", job);
}
Change JobStore::retry(const std::string& job) {
  return impl_->run_change("retry", job);
}
Change JobStore::forget(const std::string& job) {
  return impl_->run_change("forget", job);
}

Change JobStore::set_priority(const std::string& job, int priority) {
  if (priority < -100 || priority > 100) {
    throw std::invalid_argument("priority " + std::to_string(priority) + " is outside -100..100");
  }
  return impl_->run_change("set_priority", job, {std::to_string(priority)});
}

Change JobStore::allow_mix(const std::string& job, bool allow) {
  return impl_->run_change("allow_mix", job, {allow ? "1" : "0"});
}

}  // namespace reelfarm::queue
