// JobStore: what agents and stitchers do with a lease, and the reaper.
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/random.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::Reply;
using detail::ReplyPtr;

namespace {

void check_filter(const ClaimFilter& filter) {
  if (filter.owner.empty() || filter.owner.find(' ') != std::string::npos) {
    throw std::invalid_argument("claim: the owner \"" + filter.owner + "\" must be a word");
  }
  for (const TaskKind kind : filter.kinds) {
    if (kind != TaskKind::stitch && (filter.bundle_hash.empty() || filter.fingerprint.empty())) {
      throw std::invalid_argument("claim: rendering needs a bundle hash and a fingerprint");
    }
  }
}

std::vector<TaskInput> decode_inputs(const Reply& flat) {
  std::vector<TaskInput> inputs;
  for (std::size_t i = 0; i + 4 < flat.size(); i += 5) {
    TaskInput input;
    input.task = flat[i].text();
    input.kind = task_kind_from(flat[i + 1].text());
    input.window = std::atoi(flat[i + 2].text().c_str());
    if (const std::string tail = flat[i + 3].text(); !tail.empty()) input.tail = decode_artifact(tail);
    if (const std::string artifact = flat[i + 4].text(); !artifact.empty()) input.artifact = decode_artifact(artifact);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

Lease decode_lease(const Reply& reply, const FencingToken& token, std::chrono::milliseconds duration) {
  Lease lease;
  lease.token = token;
  lease.duration = duration;
  lease.expires = detail::server_time(std::stoll(reply[3].text()));
  lease.task = detail::task_record(detail::HashFields(reply[4]));
  lease.task.lease_expires = lease.expires;
  lease.job = decode_job_spec(reply[5].text());
  lease.inputs = decode_inputs(reply[6]);
  if (lease.task.spec.id != token.task) {
    throw CodecError("task " + token.task + ": its payload is that of " + lease.task.spec.id);
  }
  return lease;
}

std::string fraction_text(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", std::isfinite(fraction) ? fraction : 0.0);
  return text;
}

constexpr int kMaxReapedAtOnce = 1000;

}  // namespace

std::optional<Lease> JobStore::claim(const ClaimFilter& filter) {
  check_filter(filter);
  std::string kinds;
  for (const TaskKind kind : filter.kinds) kinds += (kinds.empty() ? "" : " ") + std::string(to_string(kind));
  for (;;) {
    const std::string nonce = detail::random_word(16);
    const ReplyPtr reply = impl_->run(
        "claim", impl_->keys.leases(),
        {filter.owner, filter.host, nonce, impl_->lease_ms(), kinds, filter.bundle_hash, filter.fingerprint,
         filter.dtype, std::to_string(filter.max_leases), std::to_string(impl_->options.retry.max_host_crashes),
         detail::milliseconds_text(impl_->options.group_timeout)});
    const Reply words(reply.get());
    if (words[0].text() != "ok") return std::nullopt;
    const FencingToken token{words[1].text(), filter.owner, std::stoll(words[2].text()), nonce};
    try {
      return decode_lease(words, token, impl_->options.lease);
    } catch (const CodecError& error) {
      impl_->run_fenced("corrupt", token, {error.what()});
    }
  }
}

ReplyCode JobStore::renew(const FencingToken& token) {
  return impl_->run_fenced("renew", token, {impl_->lease_ms()});
}

ReplyCode JobStore::tick(const FencingToken& token, const Progress& progress) {
  return impl_->run_fenced("tick", token,
                           {impl_->lease_ms(), progress.phase, std::to_string(progress.step),
                            std::to_string(progress.steps), fraction_text(progress.fraction)});
}

ReplyCode JobStore::tail(const FencingToken& token, const Artifact& tail) {
  if (tail.sha256.empty()) throw std::invalid_argument("tail of " + token.task + ": it has no sha256");
  return impl_->run_fenced("tail", token, {impl_->lease_ms(), tail.sha256, encode(tail)});
}

ReplyCode JobStore::finish(const FencingToken& token, const FinishReport& report) {
  if (report.digest.empty()) throw std::invalid_argument("finish of " + token.task + ": the digest is empty");
  return impl_->run_fenced(
      "finish", token,
      {report.digest, encode(report.artifact), report.artifact.path, report.tail ? report.tail->sha256 : "",
       report.tail ? encode(*report.tail) : "", report.metrics});
}

ReplyCode JobStore::fail(const FencingToken& token, FailureClass failure, const std::string& message) {
  const RetryPolicy& retry = impl_->options.retry;
  return impl_->run_fenced("fail", token,
                           {std::string(to_string(failure)), message, std::to_string(retry.max_crashes),
                            std::to_string(retry.max_failures), std::to_string(retry.backoff_base.count()),
                            std::to_string(retry.backoff_cap.count()), std::to_string(retry.max_host_crashes)});
}

ReplyCode JobStore::release(const FencingToken& token, const std::string& reason, bool preempted,
                            std::chrono::milliseconds delay) {
  return impl_->run_fenced("release", token, {reason, preempted ? "1" : "0", std::to_string(delay.count())});
}

ReplyCode JobStore::reject_input(const FencingToken& token, const std::string& input, const std::string& digest,
                                 const std::string& message) {
  const RetryPolicy& retry = impl_->options.retry;
  return impl_->run_fenced(
      "reject_input", token,
      {input, digest, message, detail::milliseconds_text(retry.input_settle), std::to_string(retry.max_failures),
       detail::milliseconds_text(retry.backoff_base), detail::milliseconds_text(retry.backoff_cap)});
}

ReapResult JobStore::reap(std::chrono::steady_clock::time_point monotonic_now) {
  using std::chrono::milliseconds;
  // Not sent again on a new connection: what is right to do depends on whether this one broke.
  bool lost = false;
  std::int64_t server_ms = 0;
  try {
    server_ms = impl_->now_ms(false);
  } catch (const ConnectionError&) {
    lost = true;
    server_ms = impl_->now_ms();
  }
  const bool first = lost || !impl_->last_reap || impl_->last_reap->generation != impl_->connection.generation();
  milliseconds jump(0);
  if (!first) {
    const auto server_moved = milliseconds(server_ms - impl_->last_reap->server_ms);
    jump = server_moved - std::chrono::duration_cast<milliseconds>(monotonic_now - impl_->last_reap->monotonic);
    if (std::chrono::abs(jump) < impl_->options.clock_tolerance) jump = milliseconds(0);
  }
  const RetryPolicy& retry = impl_->options.retry;
  const ReplyPtr reply = impl_->run("reap", impl_->keys.leases(),
                                    {std::to_string(server_ms), std::to_string(impl_->options.clock_tolerance.count()),
                                     std::to_string(jump.count()), first ? "1" : "0", std::to_string(kMaxReapedAtOnce),
                                     std::to_string(retry.max_losses), std::to_string(retry.backoff_base.count()),
                                     std::to_string(retry.backoff_cap.count()), std::to_string(retry.max_host_crashes)},
                                    false);
  const Reply words(reply.get());
  if (words[0].text() != "ok") return {};  // the clock jumped between the two calls: the next one sees it whole
  impl_->last_reap = {server_ms, monotonic_now, impl_->connection.generation()};
  return {static_cast<int>(words[1].integer()), static_cast<int>(words[2].integer()),
          static_cast<int>(words[3].integer()), static_cast<int>(words[4].integer()), jump};
}

}  // namespace reelfarm::queue
