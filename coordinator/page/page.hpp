#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "coordinator/http/server.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::page {

struct PageOptions {
  http::ServerOptions server;
  queue::StoreOptions store;
  queue::DataFolder data{""};
};

/// The status page, the REST API behind it (openapi.json beside this file) and the metrics of one farm. Has threads and
/// connections to Redis of its own: nothing that its clients do holds up a coordinator in the same process.
class Page {
 public:
  /// Listens, and serves from start() on. Throws http::SetupError.
  explicit Page(const PageOptions& options);
  ~Page();

  const http::Address& address() const;
  const http::Router& router() const;
  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::page
