#include "cli/farm.hpp"
#include "cli/job_fields.hpp"
#include "cli/submit_command.hpp"
#include "coordinator/submission/submission.hpp"

namespace reelfarm::cli {

int run_enqueue(const Arguments& arguments) {
  const SubmitOptions options = submit_options(arguments);
  const coordinator::JobFields fields = fields_of(arguments);
  std::vector<coordinator::JobRequest> requests;
  if (arguments.has("file")) {
    requests = coordinator::read_request_file(arguments.text("file"), fields);
  } else {
    requests.push_back(coordinator::read_request(fields, ""));
  }
  coordinator::check_without_farm(requests);
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  return submit_and_report(requests, store, data, options);
}

}  // namespace reelfarm::cli
