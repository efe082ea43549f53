#pragma once

#include <memory>
#include <string>

#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::page {

/// What Prometheus scrapes. Counters come from events and count from this process's start; gauges are read from the
/// farm. see() and sample() are called in one thread, text() in any.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void see(const queue::Event& event);
  /// Reads what is cheap each time, and every job once a minute: in between their states follow from events.
  void sample(queue::JobStore& store);
  /// In the text format 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::page
