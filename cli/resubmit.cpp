#include "cli/farm.hpp"
#include "cli/submission.hpp"
#include "cli/submit_command.hpp"
#include "cli/take_request.hpp"

namespace reelfarm::cli {

int run_resubmit(const Arguments& arguments) {
  const SubmitOptions options = submit_options(arguments);
  const JobFields changes = fields_of_settings(arguments.texts("set"));
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  std::vector<JobRequest> requests;
  for (const std::string& job : arguments.operands()) {
    requests.push_back(new_take_of(store, require_job(store, job)));
    apply(changes, "--set ", requests.back());
  }
  check_without_farm(requests);
  return submit_and_report(requests, store, data, options);
}

}  // namespace reelfarm::cli
