// What operators do to jobs and groups.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "coordinator/http/errors.hpp"
#include "coordinator/page/json_body.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;
using http::Reply;
using http::Request;
using nlohmann::json;

namespace {

constexpr const char* kSomebody = "somebody on the page";
constexpr int kMaxPriority = 100;
constexpr int kMaxTake = 1'000'000;

Reply change_reply(const std::string& job, const queue::Change& change) {
  if (change.code == queue::ChangeCode::not_found) {
    throw http::Refusal(404, "there is no job '" + job + "' in this farm");
  }
  if (change.code == queue::ChangeCode::refused) {
    throw http::Refusal(409, job + " is " + std::string(to_string(change.state)) + ": " + change.text);
  }
  return json_reply(
      {{"job", job}, {"state", to_string(change.state)}, {"changed", change.code == queue::ChangeCode::ok}});
}

using Change = std::function<queue::Change(queue::JobStore&, const std::string&, const json&)>;

void add_change(http::Router& router, Context& context, const std::string& verb, Change change) {
  router.add(Method::post, "/api/jobs/{job}/" + verb, Access::token,
             [&context, change = std::move(change)](const Request& request) {
               const std::string job = job_id(request);
               const json body = json_body(request);
               auto store = context.stores.borrow();
               return change_reply(job, change(*store, job, body));
             });
}

/// Group ids are made of host, pid and chance; only what can be one becomes part of a key.
std::string group_id(const Request& request) {
  const std::string& group = request.places.at("group");
  const bool plausible = std::all_of(group.begin(), group.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '@';
  });
  if (!plausible) throw http::Refusal(404, "that is not a group id");
  return group;
}

void add_drain(http::Router& router, Context& context, const std::string& verb, bool drain) {
  router.add(Method::post, "/api/groups/{group}/" + verb, Access::token, [&context, drain](const Request& request) {
    const std::string group = group_id(request);
    auto store = context.stores.borrow();
    if (!store->request_drain(group, drain)) throw http::Refusal(404, "there is no group '" + group + "' in this farm");
    return json_reply({{"group", group}, {"drain_requested", drain}});
  });
}

void add_farm_pause(http::Router& router, Context& context, const std::string& verb, bool pause) {
  router.add(Method::post, "/api/farm/" + verb, Access::token, [&context, pause](const Request&) {
    auto store = context.stores.borrow();
    const bool changed = pause ? store->pause_farm(kSomebody) : store->resume_farm(kSomebody);
    return json_reply({{"paused", pause}, {"changed", changed}});
  });
}

}  // namespace

void add_change_routes(http::Router& router, Context& context) {
  using queue::JobStore;
  const auto plain = [&](const char* verb, queue::Change (JobStore::*change)(const std::string&)) {
    add_change(router, context, verb,
               [change](JobStore& store, const std::string& job, const json&) { return (store.*change)(job); });
  };
  add_change(router, context, "cancel",
             [](JobStore& store, const std::string& job, const json&) { return store.cancel(job, "on the page"); });
  plain("pause", &JobStore::pause);
  plain("resume", &JobStore::resume);
  plain("retry", &JobStore::retry);
  add_change(router, context, "priority", [](JobStore& store, const std::string& job, const json& body) {
    return store.set_priority(job, static_cast<int>(integer_field(body, "priority", -kMaxPriority, kMaxPriority)));
  });
  add_change(router, context, "use", [](JobStore& store, const std::string& job, const json& body) {
    return store.use_take(job, static_cast<int>(integer_field(body, "take", 1, kMaxTake)));
  });
  add_drain(router, context, "drain", true);
  add_drain(router, context, "undrain", false);
  add_farm_pause(router, context, "pause", true);
  add_farm_pause(router, context, "resume", false);
}

}  // namespace reelfarm::page
