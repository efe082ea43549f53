// JobStore: into the inbox, and the changes operators make to a job.
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/random.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::milliseconds_text;
using detail::Reply;
using detail::ReplyPtr;

namespace {

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
Change JobStore::forget(const std::string& job, bool with_video) {
  return impl_->run_change("forget", job, {with_video ? "1" : "0"});
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
