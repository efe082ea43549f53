#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "queue/redis_url.hpp"

struct redisContext;
struct redisReply;

namespace reelfarm::queue::detail {

struct ContextDeleter {
  void operator()(redisContext* context) const;
};
struct ReplyDeleter {
  void operator()(redisReply* reply) const;
};
using ReplyPtr = std::unique_ptr<redisReply, ReplyDeleter>;

/// A view of a reply or of one element of an array reply. The accessors throw CodecError on another type.
class Reply {
 public:
  explicit Reply(const redisReply* reply) : reply_(reply) {}
  bool is_nil() const;
  bool is_array() const;
  bool is_error(std::string_view code) const;  ///< an error reply whose first word is `code`
  std::string text() const;                    ///< string or status
  std::int64_t integer() const;
  std::size_t size() const;
  Reply operator[](std::size_t index) const;
  std::vector<std::string> strings() const;  ///< an array of strings; nil elements become empty

 private:
  const redisReply* reply_;
};

/// An argument vector; binary safe, because it is never formatted.
using Arguments = std::vector<std::string>;

struct ConnectionOptions {
  RedisUrl url{};
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds command_timeout{10000};
  std::chrono::milliseconds loading_timeout{60000};
};

/// One connection. Where its URL names a file, that is read at every connect: a server that has moved is found again,
/// and a password that is refused after the first connect counts as a connection lost, since what listens at an old
/// address may be somebody else's. Opens itself on first use, and once more per call when it breaks: every command sent
/// through it may therefore reach the server twice.
class RedisConnection {
 public:
  explicit RedisConnection(ConnectionOptions options);

  /// Throws ConnectionError, TimeoutError, AuthenticationError, ReplyError.
  ReplyPtr command(const Arguments& arguments);

  /// As command, but error replies come back as they are, for the caller to look at (NOSCRIPT). With `resend` false
  /// a broken connection is reported instead of opened again.
  ReplyPtr command_raw(const Arguments& arguments, bool resend = true);

  /// Sends all, then reads all. Throws on the first error reply.
  std::vector<ReplyPtr> pipeline(const std::vector<Arguments>& commands);

  /// As pipeline, but error replies come back as they are.
  std::vector<ReplyPtr> pipeline_raw(const std::vector<Arguments>& commands);

  /// As command for a call that itself blocks on the server up to `wait`; not repeated on a broken connection.
  ReplyPtr blocking_command(const Arguments& arguments, std::chrono::milliseconds wait);

  /// Opens the connection if it is not open.
  void connect();

  /// Counts connections opened so far: a caller sees from it that one was lost.
  int generation() const { return generation_; }

  const ConnectionOptions& options() const { return options_; }

  /// Where the connection goes, or last went: the URL of the options, or what its file held then.
  const RedisUrl& url() const { return url_; }

  /// Throws what an error reply stands for; returns when it is none.
  void check(const redisReply& reply, std::string_view what) const;

 private:
  template <typename Send>
  auto with_reconnect(Send send);
  ReplyPtr exchange(const Arguments& arguments);
  ReplyPtr receive(std::string_view what);
  void append(const Arguments& arguments);
  void login();
  void wait_until_loaded();
  [[noreturn]] void throw_broken(std::string_view what);

  ConnectionOptions options_;
  RedisUrl url_;
  std::unique_ptr<redisContext, ContextDeleter> context_;
  int generation_ = 0;
};

}  // namespace reelfarm::queue::detail
