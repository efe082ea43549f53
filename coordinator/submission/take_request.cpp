#include "coordinator/submission/take_request.hpp"

namespace reelfarm::coordinator {

JobRequest new_take_of(queue::JobStore& store, const queue::JobRecord& job) {
  JobRequest request;
  request.where = "job " + job.id + ": ";
  request.spec = job.asked;
  request.spec.parent = job.id;
  request.spec.from_window.reset();
  request.spec.request_id.clear();
  if (!request.spec.after.empty()) {
    const auto before = store.get_job(request.spec.after);
    if (!before || before->state == queue::JobState::done) request.spec.after.clear();
  }
  return request;
}

}  // namespace reelfarm::coordinator
