#include "cli/farm.hpp"
#include "cli/submission.hpp"
#include "cli/submit_command.hpp"

namespace reelfarm::cli {

int run_enqueue(const Arguments& arguments) {
  const SubmitOptions options = submit_options(arguments);
  const JobFields fields = fields_of(arguments);
  std::vector<JobRequest> requests;
  if (arguments.has("file")) {
    requests = read_request_file(arguments.text("file"), fields);
  } else {
    requests.push_back(read_request(fields, ""));
  }
  check_without_farm(requests);
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  return submit_and_report(requests, store, data, options);
}

}  // namespace reelfarm::cli
