#include "coordinator/why/words.hpp"

#include <nlohmann/json.hpp>

#include "coordinator/text.hpp"

namespace reelfarm::why {

using coordinator::duration_text;
using coordinator::one_line;
using coordinator::time_text;

namespace {

using queue::ServerTime;

std::string name_of(queue::TaskKind kind, int window) {
  switch (kind) {
    case queue::TaskKind::image:
      return "the first frame";
    case queue::TaskKind::window:
      return "window " + std::to_string(window);
    case queue::TaskKind::stitch:
      return "the stitch";
  }
  return "";
}

std::string name_of(const Reason& reason) {
  return name_of(reason.kind, reason.window);
}

std::string span_text(ServerTime from, ServerTime to) {
  return duration_text(std::chrono::duration<double>(to - from).count());
}

std::string ago(ServerTime then, ServerTime now) {
  return then == ServerTime{} ? "" : span_text(then, now) + " ago";
}

std::string in_quotes(const std::string& text) {
  return "\"" + one_line(text, 300) + "\"";
}

std::string plural(std::int64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string failed(const Reason& reason) {
  std::string text = "failed";
  if (reason.since != ServerTime{}) text += " at " + time_text(reason.since);
  if (!reason.task.empty()) text += ": " + name_of(reason) + (reason.host.empty() ? "" : " on host " + reason.host);
  return text + ": " + in_quotes(reason.detail) + "; 'reelfarm retry' goes on from what is done";
}

std::string poison(const Reason& reason) {
  return "given up at " + time_text(reason.since) + ": " + name_of(reason) + " broke off " +
         plural(reason.count, "time", "times") + " at one step, last on host " + reason.host + ": " +
         in_quotes(reason.detail) + "; 'reelfarm retry' tries again from what is done";
}

std::string running(const Reason& reason, ServerTime now) {
  std::string text = name_of(reason) + " runs on " + reason.owner;
  if (!reason.host.empty()) text += " (host " + reason.host + ")";
  if (reason.limit > 0) text += ", step " + std::to_string(reason.count) + " of " + std::to_string(reason.limit);
  if (!reason.detail.empty()) text += ", phase " + reason.detail;
  return text + ", for " + span_text(reason.since, now);
}

std::string group(const Reason& reason, ServerTime now) {
  std::string who = "group " + reason.owner + " (host " + reason.host + ") ";
  switch (reason.bar) {
    case GroupBar::none:
      return who + "is free and takes " + name_of(reason) + " at its next look";
    case GroupBar::gone:
      return who + "is gone: last seen " + ago(reason.since, now);
    case GroupBar::failed:
      return who + "has failed: " + in_quotes(reason.detail);
    case GroupBar::other_bundle:
      return who + "has another bundle: " + reason.detail;
    case GroupBar::other_fingerprint:
      return who + "renders other bits: its fingerprint is " + one_line(reason.detail, 12) +
             ", and this job began with another";
    case GroupBar::other_dtype:
      return who + "calculates in " + reason.detail + ", and the job asks for " + reason.wanted;
    case GroupBar::blocklisted:
      return who + "is passed by for this job, whose windows crashed there too often";
    case GroupBar::starting:
      return who + "is starting: its weights load";
    case GroupBar::draining:
      return who + "is draining ('reelfarm undrain' lets it take work again)";
    case GroupBar::note:
      return who + "takes nothing: " + one_line(reason.detail, 300);
    case GroupBar::busy:
      return who + "is busy with " + reason.detail;
  }
  return who;
}

std::string dependency(const Reason& reason) {
  const std::string what =
      reason.count == 1 ? name_of(reason) + " waits"
                        : name_of(reason) + " and " + plural(reason.count - 1, "later one wait", "later ones wait");
  const bool first = reason.kind != queue::TaskKind::window || reason.window == 0;
  return what + " for " + (first ? "the first frame" : name_of(reason.kind, reason.window - 1));
}

std::string no_stitcher(const Reason& reason, ServerTime now) {
  if (!reason.detail.empty()) {
    return "the stitch is ready, but the stitcher that is there takes nothing: " + one_line(reason.detail, 300);
  }
  return "the stitch is ready, and no stitcher is running" +
         (reason.since == ServerTime{} ? "" : " (the last one was seen " + ago(reason.since, now) + ")") +
         ": start one ('reelfarm up', or reelfarm-stitcher)";
}

std::string jobs_first(const Reason& reason) {
  const std::int64_t earlier = reason.count - reason.limit;
  std::string text = plural(reason.count, "other job goes", "other jobs go") + " first: ";
  if (reason.limit > 0) text += std::to_string(reason.limit) + " of higher priority";
  if (earlier > 0) {
    text += (reason.limit > 0 ? ", " : "") + std::to_string(earlier) + " submitted earlier";
  }
  return text;
}

}  // namespace

std::string_view to_string(ReasonCode code) {
  switch (code) {
    case ReasonCode::done:
      return "done";
    case ReasonCode::rejected:
      return "rejected";
    case ReasonCode::failed:
      return "failed";
    case ReasonCode::poison:
      return "poison";
    case ReasonCode::cancelled:
      return "cancelled";
    case ReasonCode::submitted:
      return "submitted";
    case ReasonCode::held:
      return "held";
    case ReasonCode::paused:
      return "paused";
    case ReasonCode::running:
      return "running";
    case ReasonCode::lease_ran_out:
      return "lease_ran_out";
    case ReasonCode::resting:
      return "resting";
    case ReasonCode::disk_full:
      return "disk_full";
    case ReasonCode::farm_paused:
      return "farm_paused";
    case ReasonCode::no_groups:
      return "no_groups";
    case ReasonCode::group:
      return "group";
    case ReasonCode::groups_busy:
      return "groups_busy";
    case ReasonCode::jobs_first:
      return "jobs_first";
    case ReasonCode::dependency:
      return "dependency";
    case ReasonCode::no_stitcher:
      return "no_stitcher";
    case ReasonCode::stitcher:
      return "stitcher";
    case ReasonCode::stitchers_busy:
      return "stitchers_busy";
  }
  return "unknown";
}

std::string words_of(const Reason& reason, ServerTime now) {
  switch (reason.code) {
    case ReasonCode::done:
      return "done at " + time_text(reason.since) + (reason.detail.empty() ? "" : ": " + reason.detail);
    case ReasonCode::rejected:
      return "rejected: " + one_line(reason.detail, 1000);
    case ReasonCode::failed:
      return failed(reason);
    case ReasonCode::poison:
      return poison(reason);
    case ReasonCode::cancelled:
      return "cancelled at " + time_text(reason.since) +
             (reason.detail.empty() ? "" : ": " + one_line(reason.detail, 300)) +
             "; 'reelfarm retry' goes on from what is done";
    case ReasonCode::submitted:
      return "submitted " + ago(reason.since, now) +
             (reason.detail.empty()
                  ? ", and no coordinator has decided about it: is one running (reelfarm up, reelfarm-coordinator)?"
                  : ", and waits: " + one_line(reason.detail, 1000));
    case ReasonCode::held:
      return "held until job " + reason.job + " is done, which " +
             (reason.detail.empty() ? "is not in this farm any more: 'reelfarm resume' lets this one go"
                                    : "is " + reason.detail);
    case ReasonCode::paused:
      return std::string("paused by an operator") +
             (reason.since == ServerTime{} ? "" : " at " + time_text(reason.since)) +
             "; 'reelfarm resume' lets it go on";
    case ReasonCode::running:
      return running(reason, now);
    case ReasonCode::lease_ran_out:
      return "the lease of " + reason.owner + " on " + name_of(reason) + " ran out " + ago(reason.until, now) +
             ", and no coordinator has taken it back: is one running?";
    case ReasonCode::resting:
      return name_of(reason) + " rests for " + span_text(now, reason.until) + " after going wrong " +
             std::to_string(reason.count) + " of at most " + plural(reason.limit, "time", "times") +
             (reason.host.empty() ? "" : ", last on host " + reason.host) + ": " + in_quotes(reason.detail);
    case ReasonCode::farm_paused:
      return name_of(reason) + " is ready, but the whole farm is paused by " + reason.detail + " " +
             ago(reason.since, now) + ": 'reelfarm resume --all' lets it go on";
    case ReasonCode::disk_full:
      return name_of(reason) + " is ready, but the disk is more than " + std::to_string(reason.count) +
             " % full (free: " + reason.detail +
             "): no window starts until there is room; 'reelfarm du', 'gc' and 'rm' show and make some";
    case ReasonCode::no_groups:
      return name_of(reason) + " is ready, and " +
             (reason.count == 0 ? "there is no worker group (reelfarm up, reelfarm-worker)"
                                : "no group that is there takes it (it needs bundle " + reason.detail + ")");
    case ReasonCode::group:
      return group(reason, now);
    case ReasonCode::groups_busy:
      return name_of(reason) + " is ready, and " +
             (reason.count == 1 ? "the one group that can take it is busy"
                                : "all " + std::to_string(reason.count) + " groups that can take it are busy");
    case ReasonCode::jobs_first:
      return jobs_first(reason);
    case ReasonCode::dependency:
      return dependency(reason);
    case ReasonCode::no_stitcher:
      return no_stitcher(reason, now);
    case ReasonCode::stitcher:
      return "the stitch is ready, and " + reason.owner + " (host " + reason.host + ") takes it at its next look";
    case ReasonCode::stitchers_busy:
      return "the stitch is ready, and " + plural(reason.count, "stitcher is", "stitchers are") + " busy with others";
  }
  return "";
}

nlohmann::json json_of(const Reason& reason, ServerTime now) {
  nlohmann::json document = {{"reason", to_string(reason.code)}, {"text", words_of(reason, now)}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) document[key] = value;
  };
  add("task", reason.task);
  add("job", reason.job);
  add("owner", reason.owner);
  add("host", reason.host);
  add("detail", reason.detail);
  add("wanted", reason.wanted);
  if (reason.code == ReasonCode::group) document["bar"] = to_string(reason.bar);
  if (reason.count > 0 || reason.limit > 0) document["count"] = reason.count;
  if (reason.limit > 0) document["limit"] = reason.limit;
  if (reason.since != ServerTime{}) document["since_ms"] = reason.since.time_since_epoch().count();
  if (reason.until != ServerTime{}) document["until_ms"] = reason.until.time_since_epoch().count();
  return document;
}

}  // namespace reelfarm::why
