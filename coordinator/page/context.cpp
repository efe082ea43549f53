#include "coordinator/page/context.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::page {

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
