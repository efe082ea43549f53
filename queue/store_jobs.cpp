// JobStore: reading jobs, tasks, leases and dead letters.
#include <algorithm>
#include <cstdint>

#include "queue/codec.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::HashFields;
using detail::Reply;
using detail::ReplyPtr;

namespace {

constexpr std::size_t kBatch = 200;  ///< records per round trip of a listing

/// A record that cannot be read still shows in a listing, as a failed job that says why.
template <typename Decode>
JobRecord readable(const std::string& id, Decode decode) {
  try {
    return decode();
  } catch (const CodecError& error) {
    JobRecord job;
    job.id = id;
    job.state = JobState::failed;
    job.error = {"corrupt", error.what(), ""};
    return job;
  }
}

bool matches(const JobRecord& job, const JobQuery& query) {
  if (!query.project.empty() && job.spec.project != query.project) return false;
  return query.states.empty() || std::find(query.states.begin(), query.states.end(), job.state) != query.states.end();
}

struct IndexEntry {
  std::string job;
  std::int64_t sequence = 0;
  bool inbox = false;
};

/// The next of all jobs, newest first, by their place in the queue: those below `before`, or from the newest on when
/// there is none. Moves `before` on; nothing is left when it has none afterwards. Both indexes are looked at together
/// each time, because a job moves from one to the other and keeps its place.
std::vector<IndexEntry> newest_entries(detail::RedisConnection& connection, const Keys& keys,
                                       std::optional<std::string>& before) {
  const std::string top = before ? "(" + *before : "+inf";
  const auto command = [&](const std::string& index) {
    return Arguments{"ZREVRANGEBYSCORE", index, top, "-inf", "WITHSCORES", "LIMIT", "0", std::to_string(kBatch)};
  };
  const std::vector<ReplyPtr> indexes = connection.pipeline({command(keys.inbox()), command(keys.jobs())});
  before.reset();
  std::vector<IndexEntry> entries;
  std::int64_t seen_to = 0;
  for (std::size_t list = 0; list < indexes.size(); ++list) {
    const std::vector<std::string> flat = Reply(indexes[list].get()).strings();
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
      entries.push_back({flat[i], std::stoll(flat[i + 1]), list == 0});
    }
    if (flat.size() < 2 * kBatch) continue;
    if (const std::int64_t last = entries.back().sequence; !before || last > seen_to) {
      seen_to = last;
      before = flat.back();
    }
  }
  if (before) std::erase_if(entries, [&](const IndexEntry& entry) { return entry.sequence < seen_to; });
  std::stable_sort(entries.begin(), entries.end(),
                   [](const IndexEntry& a, const IndexEntry& b) { return a.sequence > b.sequence; });
  return entries;
}

ServerTime time_of_stream_id(const std::string& id) {
  return detail::server_time(std::stoll(id));
}

}  // namespace

std::optional<JobRecord> JobStore::get_job(const std::string& job) {
  if (!is_job_id(job)) return std::nullopt;
  const Keys& keys = impl_->keys;
  // The inbox first: a job moves from there to the jobs, so one accepted in between is found the second time.
  const std::vector<HashFields> found = impl_->hashes({keys.inbox_entry(job), keys.job(job), keys.rejected(job)});
  if (!found[1].empty()) return readable(job, [&] { return detail::job_record(job, found[1]); });
  if (!found[0].empty()) return readable(job, [&] { return detail::inbox_record(job, found[0]); });
  if (!found[2].empty()) return readable(job, [&] { return detail::rejected_record(job, found[2]); });
  return std::nullopt;
}

std::vector<JobRecord> JobStore::list_jobs(const JobQuery& query) {
  const Keys& keys = impl_->keys;
  const std::size_t limit = query.limit > 0 ? static_cast<std::size_t>(query.limit) : SIZE_MAX;
  std::vector<JobRecord> jobs;
  std::optional<std::string> before;
  do {
    const std::vector<IndexEntry> entries = newest_entries(impl_->connection, keys, before);
    std::vector<std::string> record_keys;
    for (const IndexEntry& entry : entries) {
      record_keys.push_back(entry.inbox ? keys.inbox_entry(entry.job) : keys.job(entry.job));
    }
    const std::vector<HashFields> records = impl_->hashes(record_keys);
    for (std::size_t i = 0; i < entries.size() && jobs.size() < limit; ++i) {
      const HashFields& fields = records[i];
      if (fields.empty()) continue;  // moved or removed since the index was read
      const std::string& id = entries[i].job;
      JobRecord job = readable(
          id, [&] { return entries[i].inbox ? detail::inbox_record(id, fields) : detail::job_record(id, fields); });
      if (matches(job, query)) jobs.push_back(std::move(job));
    }
  } while (before && jobs.size() < limit);
  return jobs;
}

std::map<std::string, JobState> JobStore::job_states() {
  const Keys& keys = impl_->keys;
  std::map<std::string, JobState> states;
  std::optional<std::string> before;
  do {
    const std::vector<IndexEntry> entries = newest_entries(impl_->connection, keys, before);
    std::vector<Arguments> commands;
    for (const IndexEntry& entry : entries) commands.push_back({"HGET", keys.job(entry.job), "state"});
    const std::vector<ReplyPtr> replies = impl_->connection.pipeline_raw(commands);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].inbox) {
        states[entries[i].job] = JobState::submitted;
        continue;
      }
      const Reply reply(replies[i].get());
      if (reply.is_nil()) continue;  // removed since the index was read
      try {
        states[entries[i].job] = reply.is_error("WRONGTYPE") ? JobState::failed : job_state_from(reply.text());
      } catch (const CodecError&) {
        states[entries[i].job] = JobState::failed;  // as list_jobs shows it
      }
    }
  } while (before);
  return states;
}

std::optional<TaskRecord> JobStore::get_task(const std::string& task) {
  const HashFields fields = impl_->hashes({impl_->keys.task(task)}).front();
  if (fields.empty()) return std::nullopt;
  TaskRecord record = detail::task_record(fields);
  const ReplyPtr score = impl_->connection.command({"ZSCORE", impl_->keys.leases(), task});
  if (const Reply expiry(score.get()); !expiry.is_nil()) {
    record.lease_expires = detail::server_time(std::stoll(expiry.text()));
  }
  return record;
}

std::vector<TaskRecord> JobStore::get_tasks(const std::string& job) {
  const ReplyPtr reply = impl_->connection.command({"LRANGE", impl_->keys.job_tasks(job), "0", "-1"});
  const std::vector<std::string> ids = Reply(reply.get()).strings();
  std::vector<std::string> record_keys;
  std::vector<Arguments> scores;
  for (const std::string& id : ids) {
    record_keys.push_back(impl_->keys.task(id));
    scores.push_back({"ZSCORE", impl_->keys.leases(), id});
  }
  const std::vector<HashFields> records = impl_->hashes(record_keys);
  const std::vector<ReplyPtr> expiries = impl_->connection.pipeline(scores);
  std::vector<TaskRecord> tasks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    TaskRecord task;
    try {
      if (records[i].empty()) throw CodecError("the task record is missing");
      task = detail::task_record(records[i]);
    } catch (const CodecError& error) {
      task.spec.id = ids[i];
      task.spec.job = job;
      task.state = TaskState::corrupt;
      task.error_class = "corrupt";
      task.error = error.what();
    }
    if (const Reply expiry(expiries[i].get()); !expiry.is_nil()) {
      task.lease_expires = detail::server_time(std::stoll(expiry.text()));
    }
    tasks.push_back(std::move(task));
  }
  const auto place = [](const TaskRecord& task) {
    return task.spec.kind == TaskKind::image ? -1 : task.spec.kind == TaskKind::window ? task.spec.window : 1 << 30;
  };
  std::stable_sort(tasks.begin(), tasks.end(),
                   [&](const TaskRecord& a, const TaskRecord& b) { return place(a) < place(b); });
  return tasks;
}

std::vector<HostCrashes> JobStore::host_crashes(const std::string& job) {
  const ReplyPtr reply = impl_->connection.command({"HGETALL", impl_->keys.job_blocklist(job)});
  const std::vector<std::string> flat = Reply(reply.get()).strings();
  std::vector<HostCrashes> hosts;
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
    const int crashes = std::stoi(flat[i + 1]);
    hosts.push_back({flat[i], crashes, crashes >= impl_->options.retry.max_host_crashes});
  }
  std::sort(hosts.begin(), hosts.end(), [](const HostCrashes& a, const HostCrashes& b) { return a.host < b.host; });
  return hosts;
}

std::vector<FencingToken> JobStore::leases() {
  const auto expiries = impl_->lease_expiries();
  std::vector<Arguments> commands;
  for (const auto& [task, expiry] : expiries) {
    commands.push_back({"HMGET", impl_->keys.task(task), "owner", "attempt", "nonce"});
  }
  const std::vector<ReplyPtr> replies = impl_->connection.pipeline_raw(commands);
  std::vector<FencingToken> tokens;
  for (std::size_t i = 0; i < expiries.size(); ++i) {
    if (Reply(replies[i].get()).is_error("WRONGTYPE")) continue;  // the reaper will find it
    impl_->connection.check(*replies[i], "HMGET");
    const std::vector<std::string> values = Reply(replies[i].get()).strings();
    tokens.push_back({expiries[i].first, values[0], std::atoll(values[1].c_str()), values[2]});
  }
  return tokens;
}

std::vector<std::string> JobStore::finished_before(ServerTime before, int limit) {
  const ReplyPtr reply = impl_->connection.command({"ZRANGEBYSCORE", impl_->keys.finished_jobs(), "-inf",
                                                    "(" + std::to_string(detail::milliseconds_of(before)), "LIMIT", "0",
                                                    std::to_string(limit)});
  return Reply(reply.get()).strings();
}

std::vector<DeadLetter> JobStore::dead_letters(int limit) {
  const ReplyPtr reply =
      impl_->connection.command({"XREVRANGE", impl_->keys.dead_letters(), "+", "-", "COUNT", std::to_string(limit)});
  const Reply entries(reply.get());
  std::vector<DeadLetter> letters;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const HashFields fields(entries[i][1]);
    const std::string id = entries[i][0].text();
    letters.push_back({id, fields.text("kind"), fields.text("subject"), fields.text("reason"), fields.text("payload"),
                       time_of_stream_id(id)});
  }
  return letters;
}

}  // namespace reelfarm::queue
