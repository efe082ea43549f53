#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "coordinator/why/words.hpp"

namespace reelfarm::cli {

int run_why(const Arguments& arguments) {
  queue::JobStore store = connect(arguments, data_folder(arguments));
  const why::Facts facts = why::gather_facts(store, require_job(store, arguments.operands()[0]));
  const std::vector<why::Reason> reasons = why::reasons_for(facts);
  const std::string state(to_string(facts.job.state));
  if (arguments.flag("json")) {
    nlohmann::json document = {{"job", facts.job.id}, {"state", state}, {"reasons", nlohmann::json::array()}};
    for (const why::Reason& reason : reasons) document["reasons"].push_back(json_of(reason, facts.now));
    std::printf("%s\n", document.dump().c_str());
    return kDone;
  }
  std::printf("%s  %s\n", facts.job.id.c_str(), state.c_str());
  for (const why::Reason& reason : reasons) std::printf("  %s\n", words_of(reason, facts.now).c_str());
  return kDone;
}

}  // namespace reelfarm::cli
