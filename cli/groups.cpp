#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/text.hpp"
#include "coordinator/group_view.hpp"

namespace reelfarm::cli {
namespace {

std::string joined(const std::vector<std::string>& tasks) {
  std::string text;
  for (const std::string& task : tasks) text += (text.empty() ? "" : " ") + task;
  return text;
}

void print_row(const queue::StitcherRecord& stitcher) {
  std::printf("%-24s  %-9s  %-16s  %s%s%s\n", stitcher.id.c_str(), coordinator::stitcher_state(stitcher),
              one_line(stitcher.host, 16).c_str(), joined(stitcher.tasks).c_str(), stitcher.note.empty() ? "" : "  ",
              stitcher.note.c_str());
}

void print_row(const queue::GroupRecord& group) {
  const std::string device = group.device_name.empty() ? group.device : group.device_name;
  std::printf("%-24s  %-9s  %-16s  %2d x %-24s  %-6s  %-16s  %s%s%s\n", group.id.c_str(),
              std::string(to_string(group.state)).c_str(), one_line(group.host, 16).c_str(), group.ranks,
              one_line(device, 24).c_str(), group.dtype.c_str(), one_line(group.bundle, 16).c_str(),
              joined(group.tasks).c_str(), group.note.empty() ? "" : "  ", group.note.c_str());
}

int change_drain(const Arguments& arguments, bool drain) {
  queue::JobStore store = connect(arguments, data_folder(arguments));
  int code = kDone;
  for (const std::string& group : arguments.operands()) {
    if (store.request_drain(group, drain)) {
      std::printf("%s  %s\n", group.c_str(), drain ? "draining" : "takes work again");
    } else {
      std::fprintf(stderr, "reelfarm: there is no group '%s' in this farm (see reelfarm groups)\n", group.c_str());
      code = kBadInput;
    }
  }
  return code;
}

}  // namespace

int run_groups(const Arguments& arguments) {
  queue::JobStore store = connect(arguments, data_folder(arguments));
  const queue::ServerTime now = store.now();
  const auto groups = store.list_groups();
  const auto stitchers = store.list_stitchers();
  if (arguments.flag("json")) {
    for (const queue::GroupRecord& group : groups) std::printf("%s\n", coordinator::to_json(group, now).dump().c_str());
    for (const queue::StitcherRecord& one : stitchers)
      std::printf("%s\n", coordinator::to_json(one, now).dump().c_str());
    return kDone;
  }
  say_if_paused(store);
  if (groups.empty()) {
    std::printf("no worker groups\n");
  } else {
    std::printf("%-24s  %-9s  %-16s  %-29s  %-6s  %-16s  %s\n", "group", "state", "host", "ranks x device", "dtype",
                "bundle", "tasks");
    for (const queue::GroupRecord& group : groups) print_row(group);
  }
  if (stitchers.empty()) {
    std::printf("no stitchers\n");
  } else {
    std::printf("%-24s  %-9s  %-16s  %s\n", "stitcher", "state", "host", "tasks");
    for (const queue::StitcherRecord& stitcher : stitchers) print_row(stitcher);
  }
  return kDone;
}

int run_drain(const Arguments& arguments) {
  return change_drain(arguments, true);
}

int run_undrain(const Arguments& arguments) {
  return change_drain(arguments, false);
}

}  // namespace reelfarm::cli
