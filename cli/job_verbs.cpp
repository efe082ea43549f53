#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "queue/host_name.hpp"

namespace reelfarm::cli {
namespace {

/// "ann@render3", for those who find the job cancelled in the morning.
std::string user_at_host() {
  const passwd* user = ::getpwuid(::getuid());
  return (user ? user->pw_name : "user " + std::to_string(::getuid())) + "@" + queue::host_name();
}

/// Applies one change to each job and says what became of it. All are tried; bad input when one was not possible.
int change_jobs(const Arguments& arguments, const std::vector<std::string>& jobs,
                const std::function<queue::Change(queue::JobStore&, const std::string&)>& change) {
  for (const std::string& job : jobs) {
    if (!queue::is_job_id(job)) throw BadInput("'" + job + "' is not a job id (see reelfarm status)");
  }
  queue::JobStore store = connect(arguments, data_folder(arguments));
  int code = kDone;
  for (const std::string& job : jobs) {
    const queue::Change result = change(store, job);
    if (result.code == queue::ChangeCode::not_found) {
      std::fprintf(stderr, "reelfarm: there is no job '%s' in this farm\n", job.c_str());
      code = kBadInput;
      continue;
    }
    const std::string state(to_string(result.state));
    if (result.code == queue::ChangeCode::refused) {
      std::fprintf(stderr, "reelfarm: %s is %s: %s\n", job.c_str(), state.c_str(), result.text.c_str());
      code = kBadInput;
    }
    if (arguments.has("json") && arguments.flag("json")) {
      std::printf("%s\n",
                  nlohmann::json{{"job", job}, {"state", state}, {"changed", result.code == queue::ChangeCode::ok}}
                      .dump()
                      .c_str());
    } else if (result.code != queue::ChangeCode::refused) {
      std::printf("%s  %s%s\n", job.c_str(), state.c_str(),
                  result.code == queue::ChangeCode::unchanged ? " (as before)" : "");
    }
  }
  return code;
}

/// Whether the verb is about the farm. Throws BadInput when it is about nothing, or about both.
bool wants_all(const Arguments& arguments) {
  const bool all = arguments.flag("all");
  if (all && !arguments.operands().empty()) throw BadInput("give jobs, or --all for the whole farm, not both");
  if (!all && arguments.operands().empty()) throw BadInput("give jobs, or --all for the whole farm");
  return all;
}

int change_farm(const Arguments& arguments, const std::function<bool(queue::JobStore&)>& change, const char* text) {
  queue::JobStore store = connect(arguments, data_folder(arguments));
  const bool changed = change(store);
  if (arguments.flag("json")) {
    std::printf("%s\n",
                nlohmann::json{{"paused", store.farm_pause().has_value()}, {"changed", changed}}.dump().c_str());
  } else {
    std::printf("the farm %s%s\n", text, changed ? "" : " (as before)");
  }
  return kDone;
}

}  // namespace

int run_cancel(const Arguments& arguments) {
  return change_jobs(arguments, arguments.operands(),
                     [who = "by " + user_at_host()](queue::JobStore& store, const std::string& job) {
                       return store.cancel(job, who);
                     });
}

int run_pause(const Arguments& arguments) {
  if (wants_all(arguments)) {
    return change_farm(
        arguments, [](queue::JobStore& store) { return store.pause_farm(user_at_host()); },
        "paused: no window starts until 'reelfarm resume --all'; what runs finishes its step");
  }
  return change_jobs(arguments, arguments.operands(),
                     [](queue::JobStore& store, const std::string& job) { return store.pause(job); });
}

int run_resume(const Arguments& arguments) {
  if (wants_all(arguments)) {
    return change_farm(
        arguments, [](queue::JobStore& store) { return store.resume_farm(user_at_host()); },
        "goes on; jobs that were paused one by one stay so");
  }
  return change_jobs(arguments, arguments.operands(),
                     [](queue::JobStore& store, const std::string& job) { return store.resume(job); });
}

int run_retry(const Arguments& arguments) {
  return change_jobs(arguments, arguments.operands(),
                     [](queue::JobStore& store, const std::string& job) { return store.retry(job); });
}

int run_set_priority(const Arguments& arguments) {
  const int priority = static_cast<int>(parse_integer("the priority", arguments.operands()[1], -100, 100));
  return change_jobs(arguments, {arguments.operands()[0]}, [priority](queue::JobStore& store, const std::string& job) {
    return store.set_priority(job, priority);
  });
}

}  // namespace reelfarm::cli
