#include "queue/job_store.hpp"

#include "queue/codec.hpp"
#include "queue/detail/server_check.hpp"
#include "queue/detail/store_impl.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::Reply;
using detail::ReplyPtr;

namespace detail {

ConnectionOptions connection_options(const StoreOptions& options) {
  return {RedisUrl::parse(options.url), options.connect_timeout, options.command_timeout, options.loading_timeout};
}

ReplyCode reply_code_from(const std::string& word) {
  for (const ReplyCode code :
       {ReplyCode::ok, ReplyCode::stale, ReplyCode::cancelled, ReplyCode::paused, ReplyCode::gone}) {
    if (word == to_string(code)) return code;
  }
  throw CodecError("transition answered \"" + word + "\"");
}

std::string milliseconds_text(std::chrono::milliseconds duration) {
  return std::to_string(duration.count());
}

}  // namespace detail

std::string_view to_string(ReplyCode code) {
  switch (code) {
    case ReplyCode::ok:
      return "ok";
    case ReplyCode::stale:
      return "stale";
    case ReplyCode::cancelled:
      return "cancelled";
    case ReplyCode::paused:
      return "paused";
    case ReplyCode::gone:
      return "gone";
  }
  return "unknown";
}

JobStore::Impl::Impl(StoreOptions store_options)
    : options(std::move(store_options)), keys(options.farm), connection(detail::connection_options(options)) {}

ReplyPtr JobStore::Impl::run(std::string_view script, const std::string& key, const Arguments& arguments, bool resend) {
  Arguments all = {keys.prefix(), std::to_string(options.max_events)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return detail::run_script(connection, script, key, all, resend);
}

ReplyCode JobStore::Impl::run_fenced(std::string_view script, const FencingToken& token, const Arguments& more) {
  Arguments arguments = {token.task, token.owner, std::to_string(token.attempt), token.nonce};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ReplyPtr reply = run(script, keys.task(token.task), arguments);
  const std::string code = Reply(reply.get())[0].text();
  if (code == "refused") {
    throw TransitionError(std::string(script) + " of " + token.task + ": " + Reply(reply.get())[1].text());
  }
  return detail::reply_code_from(code);
}

Change JobStore::Impl::run_change(std::string_view script, const std::string& job, const Arguments& more) {
  if (!is_job_id(job)) return {ChangeCode::not_found, JobState::submitted, "not a job id"};
  Arguments arguments = {job};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ReplyPtr reply = run(script, keys.job(job), arguments);
  const std::vector<std::string> words = Reply(reply.get()).strings();
  Change change;
  if (words[0] == "not_found") return {ChangeCode::not_found, JobState::submitted, "no such job"};
  if (words[0] == "unchanged") change.code = ChangeCode::unchanged;
  if (words[0] == "refused") change.code = ChangeCode::refused;
  if (words.size() > 1) change.state = job_state_from(words[1]);
  if (words.size() > 2) change.text = words[2];
  return change;
}

std::int64_t JobStore::Impl::now_ms(bool resend) {
  return Reply(run("now", keys.clock_offset(), {}, resend).get())[0].integer();
}

std::vector<detail::HashFields> JobStore::Impl::hashes(const std::vector<std::string>& hash_keys) {
  std::vector<Arguments> commands;
  commands.reserve(hash_keys.size());
  for (const std::string& key : hash_keys) commands.push_back({"HGETALL", key});
  std::vector<detail::HashFields> records;
  records.reserve(hash_keys.size());
  const std::vector<ReplyPtr> replies = connection.pipeline_raw(commands);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const Reply reply(replies[i].get());
    if (reply.is_error(
            "WRONGTYPE")) {  // somebody's key in a record's place: unreadable, but no reason to stop a listing
      records.emplace_back(detail::HashFields::unreadable());
      continue;
    }
    connection.check(*replies[i], "HGETALL " + hash_keys[i]);
    records.emplace_back(reply);
  }
  return records;
}

std::vector<std::pair<std::string, std::int64_t>> JobStore::Impl::lease_expiries() {
  const ReplyPtr reply = connection.command({"ZRANGE", keys.leases(), "0", "-1", "WITHSCORES"});
  const std::vector<std::string> flat = Reply(reply.get()).strings();
  std::vector<std::pair<std::string, std::int64_t>> leases;
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) leases.emplace_back(flat[i], std::stoll(flat[i + 1]));
  return leases;
}

JobStore::JobStore(StoreOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  detail::RedisConnection& connection = impl_->connection;
  connection.connect();
  if (impl_->options.check_server) detail::check_server(connection, impl_->options.allow_volatile);
  const ReplyPtr reply = connection.command({"HGET", impl_->keys.farm(), "schema"});
  if (Reply(reply.get()).is_nil()) return;  // no coordinator has been here yet
  const std::string schema = Reply(reply.get()).text();
  if (schema != std::to_string(kSchema)) {
    throw SchemaError(std::atoi(schema.c_str()), kSchema,
                      "farm \"" + impl_->options.farm + "\" in Redis has schema " + schema + ", this program knows " +
                          std::to_string(kSchema) + "; all programs of a farm must be of one version");
  }
}

JobStore::~JobStore() = default;
JobStore::JobStore(JobStore&&) noexcept = default;
JobStore& JobStore::operator=(JobStore&&) noexcept = default;

const StoreOptions& JobStore::options() const {
  return impl_->options;
}

ServerTime JobStore::now() {
  return detail::server_time(impl_->now_ms());
}

}  // namespace reelfarm::queue
