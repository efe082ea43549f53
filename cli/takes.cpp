#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

json take_json(const queue::JobRecord& take, const std::string& output, bool used) {
  return {{"take", take.spec.take},
          {"job", take.id},
          {"state", to_string(take.state)},
          {"from_window", take.spec.from_window ? json(*take.spec.from_window) : json(nullptr)},
          {"seed", take.spec.seed},
          {"output", output.empty() ? json(nullptr) : json(output)},
          {"used", used}};
}

void print_row(const queue::JobRecord& take, const std::string& output, bool used) {
  std::printf("%c %4d  %-13s  %-9s  %11s  %20llu  %s\n", used ? '*' : ' ', take.spec.take, take.id.c_str(),
              std::string(to_string(take.state)).c_str(),
              take.spec.from_window ? std::to_string(*take.spec.from_window).c_str() : "-",
              static_cast<unsigned long long>(take.spec.seed), output.c_str());
}

}  // namespace

int run_takes(const Arguments& arguments) {
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  const queue::JobRecord job = require_job(store, arguments.operands()[0]);
  const std::vector<queue::JobRecord> takes = store.takes(job.id);
  const int used = store.used_take(takes);
  const bool as_json = arguments.flag("json");
  if (!as_json) {
    std::printf("  %4s  %-13s  %-9s  %11s  %20s  %s\n", "take", "job", "state", "from window", "seed", "output");
  }
  for (const queue::JobRecord& take : takes) {
    const std::string output = take.output.empty() ? "" : (data.root() / take.output).string();
    if (as_json) {
      std::printf("%s\n", take_json(take, output, take.spec.take == used).dump().c_str());
    } else {
      print_row(take, output, take.spec.take == used);
    }
  }
  return kDone;
}

int run_use(const Arguments& arguments) {
  if (!arguments.has("take")) throw BadInput("use needs --take N (reelfarm takes " + arguments.operands()[0] + ")");
  const int take = static_cast<int>(arguments.integer("take", 0, 1, 1'000'000));
  queue::JobStore store = connect(arguments, data_folder(arguments));
  const queue::JobRecord job = require_job(store, arguments.operands()[0]);
  const queue::Change change = store.use_take(job.id, take);
  if (change.code == queue::ChangeCode::refused) throw BadInput(change.text + " (see reelfarm takes " + job.id + ")");
  const bool changed = change.code == queue::ChangeCode::ok;
  if (arguments.flag("json")) {
    std::printf("%s\n", json{{"job", job.id}, {"take", take}, {"changed", changed}}.dump().c_str());
  } else {
    std::printf("%s  take %d is used%s\n", job.id.c_str(), take, changed ? "" : " (as before)");
  }
  return kDone;
}

}  // namespace reelfarm::cli
