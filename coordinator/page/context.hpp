#pragma once

#include <string>

#include "coordinator/http/exchange.hpp"
#include "coordinator/http/router.hpp"
#include "coordinator/page/farm_watch.hpp"
#include "coordinator/page/store_pool.hpp"
#include "queue/data_folder.hpp"

namespace reelfarm::page {

/// What the routes share. Outlives the router.
struct Context {
  Context(queue::StoreOptions store, queue::DataFolder folder)
      : stores(store), watch(std::move(store)), data(std::move(folder)) {}

  StorePool stores;
  FarmWatch watch;
  queue::DataFolder data;
};

/// `handler` as a route has it, called with what the routes share.
http::Route::Handler with(Context& context, http::Reply (*handler)(Context&, const http::Request&));

/// The id in the path; throws http::Refusal 404 for what cannot be one.
std::string job_id(const http::Request& request);

/// The job of the path. Throws http::Refusal 404.
queue::JobRecord require_job(queue::JobStore& store, const http::Request& request);

}  // namespace reelfarm::page
