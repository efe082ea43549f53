// What a job waits for, in words, and what has happened to it.
#include <deque>
#include <nlohmann/json.hpp>

#include "coordinator/page/json_body.hpp"
#include "coordinator/page/routes.hpp"
#include "coordinator/why/words.hpp"
#include "queue/event_scan.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;
using http::Reply;
using http::Request;
using nlohmann::json;

namespace {

constexpr int kMaxEvents = 2000;

Reply why_job(Context& context, const Request& request) {
  auto store = context.stores.borrow();
  const why::Facts facts = why::gather_facts(*store, require_job(*store, request));
  json reasons = json::array();
  for (const why::Reason& reason : why::reasons_for(facts)) reasons.push_back(why::json_of(reason, facts.now));
  return json_reply({{"job", facts.job.id}, {"state", to_string(facts.job.state)}, {"reasons", std::move(reasons)}});
}

json event_json(const queue::Event& event) {
  json document = {{"type", event.type}, {"time_ms", event.time.time_since_epoch().count()}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) document[key] = value;
  };
  add("task", event.task);
  add("owner", event.owner);
  add("state", event.state);
  add("error_class", event.error_class);
  add("text", event.text);
  if (event.attempt > 0) document["attempt"] = event.attempt;
  if (event.steps > 0) {
    document["step"] = event.step;
    document["steps"] = event.steps;
  }
  return document;
}

Reply job_events(Context& context, const Request& request) {
  const auto limit = static_cast<std::size_t>(request.integer("limit", 200, 1, kMaxEvents));
  auto store = context.stores.borrow();
  const queue::JobRecord job = require_job(*store, request);
  std::deque<json> latest;
  queue::scan_events(store->options(), job.submitted, [&](const queue::Event& event) {
    if (event.job != job.id) return;
    latest.push_back(event_json(event));
    if (latest.size() > limit) latest.pop_front();
  });
  return json_reply({{"job", job.id}, {"events", std::move(latest)}});
}

}  // namespace

void add_story_routes(http::Router& router, Context& context) {
  router.add(Method::get, "/api/jobs/{job}/why", Access::token, with(context, why_job));
  router.add(Method::get, "/api/jobs/{job}/events", Access::token, with(context, job_events));
}

}  // namespace reelfarm::page
