#include "worker/agent/outbox.hpp"

namespace reelfarm::worker {
namespace {

/// Makes one store call of each kind of report.
struct Send {
  queue::JobStore& store;
  const queue::FencingToken& token;

  queue::ReplyCode operator()(const queue::Progress& progress) const { return store.tick(token, progress); }
  queue::ReplyCode operator()(const queue::Artifact& tail) const { return store.tail(token, tail); }
  queue::ReplyCode operator()(const queue::FinishReport& report) const { return store.finish(token, report); }
  queue::ReplyCode operator()(const FailureReport& report) const {
    return store.fail(token, report.failure, report.message);
  }
  queue::ReplyCode operator()(const ReleaseReport& report) const { return store.release(token, report.reason); }
  queue::ReplyCode operator()(const InputReport& report) const {
    return store.reject_input(token, report.input, report.digest, report.message);
  }
};

}  // namespace

void Outbox::add(Report report) {
  if (std::holds_alternative<queue::Progress>(report.content)) {
    for (Report& waiting : reports_) {
      if (waiting.token == report.token && std::holds_alternative<queue::Progress>(waiting.content)) {
        waiting.content = std::move(report.content);
        return;
      }
    }
  }
  reports_.push_back(std::move(report));
}

void Outbox::deliver(queue::JobStore& store, const OnReply& on_reply) {
  while (!reports_.empty()) {
    // Popped only after the answer: an exception leaves the report in place, and every transition may be repeated.
    const queue::ReplyCode reply = std::visit(Send{store, reports_.front().token}, reports_.front().content);
    const Report report = std::move(reports_.front());
    reports_.pop_front();
    on_reply(report, reply);
  }
}

}  // namespace reelfarm::worker
