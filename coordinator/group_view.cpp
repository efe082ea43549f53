#include "coordinator/group_view.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

namespace reelfarm::coordinator {
namespace {

double seconds_since(queue::ServerTime then, queue::ServerTime now) {
  return std::chrono::duration<double>(now - then).count();
}

}  // namespace

const char* stitcher_state(const queue::StitcherRecord& stitcher) {
  return stitcher.gone ? "gone" : stitcher.tasks.empty() ? "idle" : "busy";
}

nlohmann::json to_json(const queue::GroupRecord& group, queue::ServerTime now) {
  return {{"group", group.id},
          {"state", to_string(group.state)},
          {"host", group.host},
          {"pid", group.pid},
          {"bundle", group.bundle},
          {"fingerprint", group.fingerprint},
          {"ranks", group.ranks},
          {"device", group.device},
          {"device_name", group.device_name},
          {"dtype", group.dtype},
          {"mesh", group.mesh},
          {"version", group.version},
          {"note", group.note},
          {"drain_requested", group.drain_requested},
          {"tasks", group.tasks},
          {"seen_seconds_ago", seconds_since(group.last_seen, now)}};
}

nlohmann::json to_json(const queue::StitcherRecord& stitcher, queue::ServerTime now) {
  return {{"stitcher", stitcher.id},   {"state", stitcher_state(stitcher)},
          {"host", stitcher.host},     {"pid", stitcher.pid},
          {"follow", stitcher.follow}, {"note", stitcher.note},
          {"tasks", stitcher.tasks},   {"seen_seconds_ago", seconds_since(stitcher.last_seen, now)}};
}

}  // namespace reelfarm::coordinator
