#include "cli/farm.hpp"
#include "cli/submit_command.hpp"
#include "coordinator/submission/submission.hpp"
#include "coordinator/submission/take_request.hpp"

namespace reelfarm::cli {

int run_resubmit(const Arguments& arguments) {
  const SubmitOptions options = submit_options(arguments);
  const coordinator::JobFields changes = coordinator::fields_of_settings(arguments.texts("set"));
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  std::vector<coordinator::JobRequest> requests;
  for (const std::string& job : arguments.operands()) {
    requests.push_back(coordinator::new_take_of(store, require_job(store, job)));
    apply(changes, "--set ", requests.back());
  }
  coordinator::check_without_farm(requests);
  return submit_and_report(requests, store, data, options);
}

}  // namespace reelfarm::cli
