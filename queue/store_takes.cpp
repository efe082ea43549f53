// JobStore: the takes of one job.
#include <algorithm>
#include <stdexcept>

#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Reply;
using detail::ReplyPtr;

namespace {

/// The first take's id, by which Redis knows them all.
const std::string& family_of(const JobRecord& take) {
  return take.spec.family.empty() ? take.id : take.spec.family;
}

}  // namespace

Take JobStore::reserve_take(const std::string& job, const std::string& parent) {
  if (!is_job_id(job) || !is_job_id(parent)) {
    throw std::invalid_argument("take \"" + job + "\" of \"" + parent + "\": both must be job ids");
  }
  const ReplyPtr reply = impl_->run("reserve_take", impl_->keys.job(parent), {job, parent});
  const Reply words(reply.get());
  return {words[0].text(), static_cast<int>(words[1].integer())};
}

std::vector<JobRecord> JobStore::takes(const std::string& job) {
  const std::optional<JobRecord> asked = get_job(job);
  if (!asked) return {};
  const std::string& family = family_of(*asked);
  const ReplyPtr members = impl_->connection.command({"ZRANGE", impl_->keys.takes(family), "0", "-1"});
  std::vector<JobRecord> takes;
  for (const std::string& id : Reply(members.get()).strings()) {
    // Of a take that was cancelled before it was accepted only the number is left.
    if (std::optional<JobRecord> record = get_job(id); record && (record->windows > 0 || id == job || id == family)) {
      takes.push_back(std::move(*record));
    }
  }
  if (takes.empty()) takes.push_back(*asked);
  return takes;
}

int JobStore::used_take(const std::string& job) {
  return used_take(takes(job));
}

int JobStore::used_take(const std::vector<JobRecord>& takes) {
  if (takes.empty()) return 0;
  const ReplyPtr chosen = impl_->connection.command({"GET", impl_->keys.used_take(family_of(takes.back()))});
  if (const Reply take(chosen.get()); !take.is_nil()) return std::stoi(take.text());
  const auto newest =
      std::find_if(takes.rbegin(), takes.rend(), [](const JobRecord& take) { return take.state == JobState::done; });
  return newest == takes.rend() ? 0 : newest->spec.take;
}

Change JobStore::use_take(const std::string& job, int take) {
  return impl_->run_change("use_take", job, {std::to_string(take)});
}

}  // namespace reelfarm::queue
