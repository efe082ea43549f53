#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <variant>

#include "queue/job_store.hpp"

namespace reelfarm::worker {

struct FailureReport {
  queue::FailureClass failure = queue::FailureClass::internal;
  std::string message;
};

struct ReleaseReport {
  std::string reason;
};

/// What the task starts from, left by another task of the job, is damaged or gone.
struct InputReport {
  std::string input;   ///< the other task
  std::string digest;  ///< of its result as the lease showed it; empty: only its tail was there
  std::string message;
};

/// One fenced write that Redis has not answered yet.
struct Report {
  queue::FencingToken token;
  std::variant<queue::Progress, queue::Artifact, queue::FinishReport, FailureReport, ReleaseReport, InputReport>
      content;
};

/// Reports in the order in which they happened. They outlast a Redis that is away: a report leaves the box only when it
/// was answered, and of progress only the newest per task is worth keeping.
class Outbox {
 public:
  /// Called with each answer.
  using OnReply = std::function<void(const Report&, queue::ReplyCode)>;

  void add(Report report);
  /// Delivers all of it. Throws queue::ConnectionError at the first that cannot be delivered now, which stays.
  void deliver(queue::JobStore& store, const OnReply& on_reply);
  bool empty() const { return reports_.empty(); }

 private:
  std::deque<Report> reports_;
};

}  // namespace reelfarm::worker
