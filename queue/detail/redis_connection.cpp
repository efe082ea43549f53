#include "queue/detail/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "queue/detail/redis_tls.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue::detail {
namespace {

timeval to_timeval(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  return {static_cast<time_t>(count / 1000), static_cast<suseconds_t>(count % 1000 * 1000)};
}

std::string first_word(std::string_view text) {
  return std::string(text.substr(0, text.find(' ')));
}

std::string_view text_of(const redisReply& reply) {
  return {reply.str, static_cast<std::size_t>(reply.len)};
}

/// The command for messages: its name only, because arguments may be prompts or passwords.
std::string_view name_of(const Arguments& arguments) {
  return arguments.empty() ? std::string_view() : arguments[0];
}

/// hiredis 0.14 writes without MSG_NOSIGNAL, so a server that went away would end this process by SIGPIPE where nobody
/// handles it; as EPIPE it becomes a ConnectionError.
void ignore_broken_pipes() {
  [[maybe_unused]] static const bool once = [] {
    struct sigaction now {};
    ::sigaction(SIGPIPE, nullptr, &now);
    if (now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
}

bool is_loading(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ERROR && first_word(text_of(reply)) == "LOADING";
}

}  // namespace

void ContextDeleter::operator()(redisContext* context) const {
  redisFree(context);
}
void ReplyDeleter::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

bool Reply::is_nil() const {
  return reply_->type == REDIS_REPLY_NIL;
}
bool Reply::is_array() const {
  return reply_->type == REDIS_REPLY_ARRAY;
}

bool Reply::is_error(std::string_view code) const {
  return reply_->type == REDIS_REPLY_ERROR && first_word(text_of(*reply_)) == code;
}

std::string Reply::text() const {
  if (reply_->type == REDIS_REPLY_NIL) return {};
  if (reply_->type == REDIS_REPLY_INTEGER) return std::to_string(reply_->integer);
  if (reply_->type != REDIS_REPLY_STRING && reply_->type != REDIS_REPLY_STATUS) {
    throw CodecError("Redis reply: expected a string, found type " + std::to_string(reply_->type));
  }
  return std::string(text_of(*reply_));
}

std::int64_t Reply::integer() const {
  if (reply_->type != REDIS_REPLY_INTEGER) {
    throw CodecError("Redis reply: expected an integer, found type " + std::to_string(reply_->type));
  }
  return reply_->integer;
}

std::size_t Reply::size() const {
  if (reply_->type == REDIS_REPLY_NIL) return 0;
  if (reply_->type != REDIS_REPLY_ARRAY) {
    throw CodecError("Redis reply: expected an array, found type " + std::to_string(reply_->type));
  }
  return reply_->elements;
}

Reply Reply::operator[](std::size_t index) const {
  if (index >= size()) {
    throw CodecError("Redis reply: element " + std::to_string(index) + " of " + std::to_string(size()));
  }
  return Reply(reply_->element[index]);
}

std::vector<std::string> Reply::strings() const {
  std::vector<std::string> out;
  out.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) out.push_back((*this)[i].text());
  return out;
}

RedisConnection::RedisConnection(ConnectionOptions options) : options_(std::move(options)), url_(options_.url) {}

void RedisConnection::connect() {
  ignore_broken_pipes();
  if (context_) return;
  url_ = options_.url.resolved();
  const RedisUrl& url = url_;
  const timeval timeout = to_timeval(options_.connect_timeout);
  std::unique_ptr<redisContext, ContextDeleter> context(
      url.socket_path.empty() ? redisConnectWithTimeout(url.host.c_str(), url.port, timeout)
                              : redisConnectUnixWithTimeout(url.socket_path.c_str(), timeout));
  if (!context || context->err != 0) {
    const std::string reason = context ? context->errstr : "out of memory";
    throw ConnectionError("cannot connect to Redis at " + url.redacted() + ": " + reason +
                          "; is the server running, and is the address right (--redis, REELFARM_REDIS)?");
  }
  if (url.tls) {
    // The handshake waits for the server as the connect did.
    redisSetTimeout(context.get(), timeout);
    start_tls(*context, url);
  }
  if (redisSetTimeout(context.get(), to_timeval(options_.command_timeout)) != REDIS_OK) {
    throw ConnectionError("cannot set the time-out of the connection to " + url.redacted() + ": " + context->errstr);
  }
  if (url.socket_path.empty()) redisEnableKeepAlive(context.get());
  context_ = std::move(context);
  try {
    login();
    wait_until_loaded();
  } catch (const AuthenticationError& error) {
    context_.reset();
    if (options_.url.file.empty() || generation_ == 0) throw;
    throw ConnectionError(error.what());
  } catch (...) {
    context_.reset();
    throw;
  }
  ++generation_;
}

void RedisConnection::login() {
  const RedisUrl& url = url_;
  if (!url.password.empty()) {
    Arguments auth = {"AUTH"};
    if (!url.user.empty()) auth.push_back(url.user);
    auth.push_back(url.password);
    const ReplyPtr reply = exchange(auth);
    // Redis names the case (WRONGPASS, or ERR without a configured password); to the user all are one: not let in.
    if (reply->type == REDIS_REPLY_ERROR) {
      throw AuthenticationError("Redis at " + url.redacted() +
                                " refused the password: " + std::string(text_of(*reply)));
    }
  }
  if (url.database != 0) {
    const ReplyPtr reply = exchange({"SELECT", std::to_string(url.database)});
    check(*reply, "SELECT " + std::to_string(url.database));
  }
}

void RedisConnection::wait_until_loaded() {
  const auto deadline = std::chrono::steady_clock::now() + options_.loading_timeout;
  constexpr std::chrono::milliseconds kPoll(20);
  for (;;) {
    const ReplyPtr reply = exchange({"PING"});
    if (!is_loading(*reply)) {
      check(*reply, "PING");
      return;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      throw TimeoutError("Redis at " + url_.redacted() + " is still loading its files after " +
                         std::to_string(options_.loading_timeout.count()) + " ms: " + std::string(text_of(*reply)));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void RedisConnection::throw_broken(std::string_view what) {
  const int error = context_->err;
  const bool timed_out = error == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  const std::string reason = context_->errstr;
  context_.reset();  // hiredis: a context is unusable after any error
  const std::string where = " of Redis at " + url_.redacted();
  if (timed_out) {
    throw TimeoutError("no answer to " + std::string(what) + where + " within " +
                       std::to_string(options_.command_timeout.count()) + " ms");
  }
  throw ConnectionError("connection lost during " + std::string(what) + where + ": " + reason);
}

void RedisConnection::append(const Arguments& arguments) {
  std::vector<const char*> pointers;
  std::vector<std::size_t> lengths;
  pointers.reserve(arguments.size());
  lengths.reserve(arguments.size());
  for (const std::string& argument : arguments) {
    pointers.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  if (redisAppendCommandArgv(context_.get(), static_cast<int>(arguments.size()), pointers.data(), lengths.data()) !=
      REDIS_OK) {
    throw_broken(name_of(arguments));
  }
}

ReplyPtr RedisConnection::receive(std::string_view what) {
  void* reply = nullptr;
  errno = 0;
  if (redisGetReply(context_.get(), &reply) != REDIS_OK || reply == nullptr) throw_broken(what);
  return ReplyPtr(static_cast<redisReply*>(reply));
}

ReplyPtr RedisConnection::exchange(const Arguments& arguments) {
  append(arguments);
  return receive(name_of(arguments));
}

void RedisConnection::check(const redisReply& reply, std::string_view what) const {
  if (reply.type != REDIS_REPLY_ERROR) return;
  const std::string_view text = text_of(reply);
  const std::string code = first_word(text);
  const std::string message =
      "Redis at " + url_.redacted() + " refused " + std::string(what) + ": " + std::string(text);
  if (code == "NOAUTH" || code == "WRONGPASS" || code == "NOPERM") {
    const bool needs = code == "NOAUTH";
    throw AuthenticationError(message + (needs ? "; put the password into the URL: redis://:password@host" : ""));
  }
  constexpr std::string_view kNotReady[] = {"MISCONF",    "OOM",  "LOADING",   "READONLY",
                                            "MASTERDOWN", "BUSY", "NOREPLICAS"};
  if (std::find(std::begin(kNotReady), std::end(kNotReady), code) != std::end(kNotReady)) throw NotReadyError(message);
  throw ReplyError(code, message);
}

template <typename Send>
auto RedisConnection::with_reconnect(Send send) {
  const bool fresh = context_ == nullptr;
  connect();
  try {
    return send();
  } catch (const ConnectionError&) {
    if (fresh) throw;  // a connection just made has had its chance
  }
  connect();
  return send();
}

ReplyPtr RedisConnection::command_raw(const Arguments& arguments, bool resend) {
  if (!resend) {
    connect();
    return exchange(arguments);
  }
  return with_reconnect([&] { return exchange(arguments); });
}

ReplyPtr RedisConnection::command(const Arguments& arguments) {
  ReplyPtr reply = command_raw(arguments);
  check(*reply, name_of(arguments));
  return reply;
}

std::vector<ReplyPtr> RedisConnection::pipeline_raw(const std::vector<Arguments>& commands) {
  return with_reconnect([&] {
    std::vector<ReplyPtr> received;
    received.reserve(commands.size());
    for (const Arguments& arguments : commands) append(arguments);
    for (const Arguments& arguments : commands) received.push_back(receive(name_of(arguments)));
    return received;
  });
}

std::vector<ReplyPtr> RedisConnection::pipeline(const std::vector<Arguments>& commands) {
  std::vector<ReplyPtr> replies = pipeline_raw(commands);
  for (std::size_t i = 0; i < replies.size(); ++i) check(*replies[i], name_of(commands[i]));
  return replies;
}

ReplyPtr RedisConnection::blocking_command(const Arguments& arguments, std::chrono::milliseconds wait) {
  connect();
  redisSetTimeout(context_.get(), to_timeval(options_.command_timeout + wait));
  ReplyPtr reply = exchange(arguments);
  redisSetTimeout(context_.get(), to_timeval(options_.command_timeout));
  check(*reply, name_of(arguments));
  return reply;
}

}  // namespace reelfarm::queue::detail
