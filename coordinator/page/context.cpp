#include "coordinator/page/context.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::page {

http::Route::Handler with(Context& context, http::Reply (*handler)(Context&, const http::Request&)) {
  return [&context, handler](const http::Request& request) { return handler(context, request); };
}

std::string job_id(const http::Request& request) {
  const std::string& job = request.places.at("job");
  if (!queue::is_job_id(job)) throw http::Refusal(404, "'" + job + "' is not a job id");
  return job;
}

queue::JobRecord require_job(queue::JobStore& store, const http::Request& request) {
  const std::string id = job_id(request);
  auto job = store.get_job(id);
  if (!job) throw http::Refusal(404, "there is no job '" + id + "' in this farm");
  return *std::move(job);
}

}  // namespace reelfarm::page
