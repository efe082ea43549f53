#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/doctor/checks.hpp"
#include "cli/errors.hpp"
#include "cli/farm.hpp"

namespace reelfarm::cli {
namespace {

const char* word_of(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::note:
      return "warning";
    case Health::problem:
      return "error";
  }
  return "";
}

void print(const Finding& finding, bool as_json) {
  if (as_json) {
    const nlohmann::json document = {
        {"health", word_of(finding.health)}, {"what", finding.what}, {"text", finding.text}, {"hint", finding.hint}};
    std::printf("%s\n", document.dump().c_str());
    return;
  }
  std::printf("%-8s %-21s %s\n", word_of(finding.health), finding.what.c_str(), finding.text.c_str());
  if (!finding.hint.empty()) std::printf("%-30s -> %s\n", "", finding.hint.c_str());
}

void add(std::vector<Finding>& findings, std::vector<Finding> more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

/// The slowest of a few, since it is the slow ones that hold an agent up.
double round_trip_ms(queue::JobStore& store) {
  double slowest = 0;
  for (int call = 0; call < 10; ++call) {
    const auto begin = std::chrono::steady_clock::now();
    store.now();
    slowest =
        std::max(slowest, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return slowest;
}

/// What can be said without the farm is said in any case.
int check_everything(const Arguments& arguments, std::vector<Finding>& findings) {
  add(findings, check_programs());
  const queue::DataFolder data = data_folder(arguments);
  const auto unreachable = [&](const char* words, const char* hint, int code) {
    findings.push_back({Health::problem, "redis", words, hint});
    return code;
  };
  try {
    // A server that every other command refuses is looked at all the same, and told what it is refused for.
    queue::JobStore store = connect(arguments, data, /*check_server=*/false);
    const queue::ServerFacts facts = queue::read_server_facts(store.options());
    add(findings, judge_server(facts));
    if (!facts.supported) return kJobFailed;
    findings.push_back(judge_latency(round_trip_ms(store)));
    const std::string farm_id = store.farm_id();
    if (farm_id.empty()) {
      findings.push_back(
          {Health::problem, "farm", "this Redis holds no farm yet", "start a coordinator: 'reelfarm up'"});
    } else {
      add(findings, check_data(data, farm_id));
    }
    const FarmRecords records = read_farm_records(store);
    add(findings, check_farm(records));
    if (arguments.has("bundle")) add(findings, check_bundle(arguments.text("bundle"), records));
  } catch (const queue::ConnectionError& error) {
    return unreachable(error.what(), "start it, or name it with --redis", kFarmUnreachable);
  } catch (const FarmUnreachable& error) {
    return unreachable(error.what(), "'reelfarm up' starts a farm", kFarmUnreachable);
  } catch (const queue::Error& error) {
    return unreachable(error.what(), "mend the server's settings or the URL", kJobFailed);
  }
  const bool ill = std::any_of(findings.begin(), findings.end(),
                               [](const Finding& finding) { return finding.health == Health::problem; });
  return ill ? kJobFailed : kDone;
}

}  // namespace

int run_doctor(const Arguments& arguments) {
  std::vector<Finding> findings;
  const int code = check_everything(arguments, findings);
  for (const Finding& finding : findings) print(finding, arguments.flag("json"));
  return code;
}

}  // namespace reelfarm::cli
