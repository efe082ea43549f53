// Reading jobs, groups and failures.
#include <nlohmann/json.hpp>

#include "coordinator/group_view.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/job_view.hpp"
#include "coordinator/page/job_json.hpp"
#include "coordinator/page/json_body.hpp"
#include "coordinator/page/routes.hpp"
#include "queue/codec.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;
using http::Reply;
using http::Request;
using nlohmann::json;

namespace {

constexpr int kMaxListed = 500;

queue::JobQuery query_of(const Request& request) {
  queue::JobQuery query;
  query.project = request.text("project");
  query.limit = static_cast<int>(request.integer("limit", 100, 1, kMaxListed));
  if (const std::string state = request.text("state"); !state.empty()) {
    try {
      query.states = {queue::job_state_from(state)};
    } catch (const queue::CodecError& error) {
      throw http::Refusal(400, error.what());
    }
  }
  return query;
}

/// Only of jobs under way the windows are read: of the others the record says enough.
coordinator::JobView light_view(queue::JobStore& store, const queue::DataFolder& data, const queue::JobRecord& job,
                                queue::ServerTime now) {
  const bool untouched = job.started == queue::ServerTime{} || job.state == queue::JobState::done;
  return coordinator::make_view(job, untouched ? std::vector<queue::TaskRecord>() : store.get_tasks(job.id), data, now);
}

Reply list_jobs(Context& context, const Request& request) {
  auto store = context.stores.borrow();
  const queue::ServerTime now = store->now();
  json jobs = json::array();
  for (const queue::JobRecord& job : store->list_jobs(query_of(request))) {
    json summary = summary_json(light_view(*store, context.data, job, now));
    if (job.state == queue::JobState::done) summary["windows_done"] = job.windows;
    jobs.push_back(std::move(summary));
  }
  return json_reply({{"jobs", std::move(jobs)}, {"now_ms", now.time_since_epoch().count()}});
}

Reply show_job(Context& context, const Request& request) {
  auto store = context.stores.borrow();
  const queue::JobRecord job = require_job(*store, request);
  const auto tasks = store->get_tasks(job.id);
  return json_reply(job_json(coordinator::make_view(job, tasks, context.data, store->now()), tasks));
}

Reply list_takes(Context& context, const Request& request) {
  auto store = context.stores.borrow();
  const queue::JobRecord job = require_job(*store, request);
  const auto takes = store->takes(job.id);
  const queue::ServerTime now = store->now();
  json list = json::array();
  for (const queue::JobRecord& take : takes) {
    list.push_back(summary_json(light_view(*store, context.data, take, now)));
  }
  return json_reply({{"takes", std::move(list)}, {"used", store->used_take(takes)}});
}

Reply list_groups(Context& context, const Request&) {
  auto store = context.stores.borrow();
  const queue::ServerTime now = store->now();
  json groups = json::array();
  json stitchers = json::array();
  for (const auto& group : store->list_groups()) groups.push_back(coordinator::to_json(group, now));
  for (const auto& stitcher : store->list_stitchers()) stitchers.push_back(coordinator::to_json(stitcher, now));
  const auto pause = store->farm_pause();
  const json paused =
      pause ? json{{"by", pause->by}, {"since_ms", pause->since.time_since_epoch().count()}} : json(nullptr);
  return json_reply({{"groups", std::move(groups)}, {"stitchers", std::move(stitchers)}, {"paused", paused}});
}

Reply list_bundles(Context& context, const Request&) {
  auto store = context.stores.borrow();
  json bundles = json::array();
  for (const auto& bundle : store->list_bundles()) bundles.push_back(queue::to_json(bundle));
  return json_reply({{"bundles", std::move(bundles)}});
}

json failure_json(const queue::JobRecord& job) {
  return {{"job", job.id},
          {"name", job.spec.name},
          {"error", job.error.message},
          {"error_class", job.error.error_class},
          {"task", job.error.task.empty() ? json(nullptr) : json(job.error.task)},
          {"finished_ms", job.finished.time_since_epoch().count()}};
}

Reply list_failures(Context& context, const Request& request) {
  auto store = context.stores.borrow();
  queue::JobQuery query;
  query.states = {queue::JobState::failed};
  query.limit = static_cast<int>(request.integer("limit", 100, 1, kMaxListed));
  json jobs = json::array();
  for (const queue::JobRecord& job : store->list_jobs(query)) jobs.push_back(failure_json(job));
  json letters = json::array();
  for (const queue::DeadLetter& letter : store->dead_letters(query.limit)) {
    letters.push_back({{"kind", letter.kind},
                       {"subject", letter.subject},
                       {"reason", letter.reason},
                       {"time_ms", letter.time.time_since_epoch().count()}});
  }
  return json_reply({{"jobs", std::move(jobs)}, {"dead_letters", std::move(letters)}});
}

}  // namespace

void add_reading_routes(http::Router& router, Context& context) {
  router.add(Method::get, "/api/jobs", Access::token, with(context, list_jobs));
  router.add(Method::get, "/api/jobs/{job}", Access::token, with(context, show_job));
  router.add(Method::get, "/api/jobs/{job}/takes", Access::token, with(context, list_takes));
  router.add(Method::get, "/api/groups", Access::token, with(context, list_groups));
  router.add(Method::get, "/api/bundles", Access::token, with(context, list_bundles));
  router.add(Method::get, "/api/failures", Access::token, with(context, list_failures));
}

}  // namespace reelfarm::page
